"""The store keeps what was committed, tells of it once, and remembers enough for watches."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.store import HISTORY, Change, Store
from kube.objects import Obj

WRITER = """
import sys
from pathlib import Path
from embedded.store import Store
store = Store(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    store.put("pods", {"metadata": {"namespace": "n", "name": f"p{number % 7}"}, "number": number})
    store.put("nodes", {"metadata": {"name": "same"}, "number": number})
    store.commit()
    print(number, flush=True)
"""


def obj(name: str, namespace: str = "n", **more: object) -> Obj:
    return {"metadata": {"namespace": namespace, "name": name}, **more}


def test_what_was_committed_is_there_at_the_next_start(tmp_path: Path) -> None:
    """Objects, and the revision, also when the last write was a removal."""
    store = Store(tmp_path / "db")
    store.put("pods", obj("a", text="grün 𝄞"))
    store.put("pods", obj("b"))
    store.drop("pods", ("n", "b"))
    store.commit()
    revision = store.revision
    store.close()
    again = Store(tmp_path / "db")
    assert [entry.obj["text"] for entry in again.entries("pods")] == ["grün 𝄞"]
    assert again.revision == revision
    entry = again.put("pods", obj("c"))
    assert entry.revision == revision + 1
    again.close()


def test_a_killed_writer_leaves_whole_commits(tmp_path: Path) -> None:
    """After kill -9 the store opens, holds the last commit that was told, and never half of one."""
    file = tmp_path / "db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = 0
    for line in writer.stdout:
        told = int(line)
        if told >= 50:
            break
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    store = Store(file)
    (same,) = store.entries("nodes")
    assert same.obj["number"] >= told
    assert max(entry.obj["number"] for entry in store.entries("pods")) == same.obj["number"]
    store.close()


def test_listeners_hear_of_committed_changes_only_and_in_order() -> None:
    """Writes are readable at once, and told by commit."""
    store = Store()
    heard: list[Change] = []
    store.follow("pods", heard.append)
    store.put("pods", obj("a"))
    store.put("pods", obj("a", x=1))
    store.drop("pods", ("n", "a"))
    store.put("nodes", obj("other", ""))
    assert heard == []
    assert store.get("pods", ("n", "a")) is None
    store.commit()
    assert [change.type for change in heard] == ["ADDED", "MODIFIED", "DELETED"]
    assert [change.entry.revision for change in heard] == [2, 3, 4]
    assert heard[2].entry.obj["metadata"]["resourceVersion"] == "4"
    store.unfollow("pods", heard.append)
    store.put("pods", obj("b"))
    store.commit()
    assert len(heard) == 3


def test_a_disk_that_refuses_keeps_the_writes_due(tmp_path: Path) -> None:
    """Nobody hears of a write that is not durable; the next commit takes it along."""
    store = Store(tmp_path / "db")
    heard: list[Change] = []
    store.follow("pods", heard.append)
    blocker = sqlite3.connect(tmp_path / "db", isolation_level=None)
    store._disk.execute("PRAGMA busy_timeout=0")
    blocker.execute("BEGIN IMMEDIATE")
    store.put("pods", obj("a"))
    with pytest.raises(sqlite3.OperationalError):
        store.commit()
    assert heard == []
    blocker.execute("ROLLBACK")
    blocker.close()
    store.commit()
    assert [change.type for change in heard] == ["ADDED"]
    store.close()
    again = Store(tmp_path / "db")
    assert again.get("pods", ("n", "a")) is not None
    again.close()


def test_history_reaches_back_so_far_and_says_when_it_does_not() -> None:
    """`since` is complete or None: never a part."""
    store = Store()
    first = store.revision
    for number in range(HISTORY + 5):
        store.put("pods", obj("a", number=number))
        store.put("nodes", obj("b", ""))
        store.commit()
    assert store.since("pods", first) is None
    changes = store.since("pods", store.revision - 4)
    assert changes is not None
    assert [change.entry.obj["number"] for change in changes] == [HISTORY + 3, HISTORY + 4]
    assert store.since("pods", store.revision + 1) is None
    assert store.since("secrets", first) == []


def test_a_restart_forgets_history(tmp_path: Path) -> None:
    """A watch from before the restart has to list again, one from the last revision has not."""
    store = Store(tmp_path / "db")
    store.put("pods", obj("a"))
    store.commit()
    store.close()
    again = Store(tmp_path / "db")
    assert again.since("pods", again.revision - 1) is None
    assert again.since("pods", again.revision) == []
    again.checkpoint()
    again.close()


def test_a_change_is_encoded_once() -> None:
    """All watchers of a change get the very same bytes."""
    store = Store()
    heard: list[Change] = []
    store.follow("pods", heard.append)
    store.put("pods", obj("a"))
    store.commit()
    assert heard[0].line() is heard[0].line()
    assert heard[0].line().startswith(b'{"type":"ADDED","object":{"metadata"')


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "drop"]), st.sampled_from(["x", "y", ""]), st.sampled_from("abcd")),
        max_size=30,
    )
)
def test_reading_equals_a_plain_dictionary(steps: list[tuple[str, str, str]]) -> None:
    """After any writes: the same objects, ordered by namespace and name, in all and in one namespace."""
    store, model = Store(), {}
    for number, (step, namespace, name) in enumerate(steps):
        if step == "put":
            store.put("pods", obj(name, namespace, number=number))
            model[namespace, name] = number
        elif (namespace, name) in model:
            store.drop("pods", (namespace, name))
            del model[namespace, name]
    store.commit()
    found = [(entry.obj["metadata"]["name"], entry.obj["number"]) for entry in store.entries("pods")]
    assert found == [(name, number) for (_, name), number in sorted(model.items())]
    only_x = [entry.obj["number"] for entry in store.entries("pods", "x")]
    assert only_x == [number for (namespace, _), number in sorted(model.items()) if namespace == "x"]
    store.close()
