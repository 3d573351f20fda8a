"""A link that breaks says how."""

from typing import Any

import aiohttp
import pytest
from aiohttp.client_exceptions import ServerTimeoutError

from activator.edge.link.link import Identity, Link
from activator.link.reports import Reports


async def broken(why: ServerTimeoutError) -> Any:
    """A socket on which nothing comes but its end."""
    yield aiohttp.WSMessage(aiohttp.WSMsgType.ERROR, why, None)


async def test_a_link_that_breaks_tells_why() -> None:
    """The cause that the transport names, in words."""
    link = Link(
        Identity("me", "", lambda: "t"), Reports("me"), on_order=lambda _: None, on_change=lambda: None
    )
    with pytest.raises(ConnectionError, match=r"it was lost: No PONG received"):
        await link._read(broken(aiohttp.ServerTimeoutError("No PONG received after 1.5 seconds")))
