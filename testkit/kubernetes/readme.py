"""README's kubectl commands, as a user types them."""

import re
import shlex

from testkit.paths import CONFIG, ROOT


def commands(heading: str) -> list[list[str]]:
    """The lines that README tells to type below a heading."""
    text = (ROOT / "README.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\$ (kubectl .*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def in_place(command: list[str]) -> list[str]:
    """README's commands are typed at the top of the checkout."""
    return [str(CONFIG) if word == "config/" else word for word in command]
