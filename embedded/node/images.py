"""The image table: how an image's name is run as a local process (config map `config-images`).

Its key `images.yaml` is a list, the first entry that matches counts:

    - image: "registry.example.com/hello*"     # a glob; * also matches slashes
      command: [python3, -m, hello]            # or one string, split as a shell would
      env: {DELAY: "10ms"}                     # the container's own env wins
      workingDir: src                          # the container's own workingDir wins

`python3` as the first word and `{python}` anywhere in `command` stand for the interpreter that runs Zerogate;
further such words (`{samples}`) are the node's settings.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml

CONFIG_MAP = "config-images"
KEY = "images.yaml"


class ImageTableError(ValueError):
    """The table makes no sense; the text names the entry and what is wrong."""


@dataclass(frozen=True, slots=True)
class Image:
    """One entry of the table."""

    glob: str
    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""

    def command_for(self, words: Mapping[str, str]) -> tuple[str, ...]:
        """The command with `{name}` replaced by what this machine calls so; `{python}` must be among them."""
        command = list(self.command)
        if command[0] == "python3":
            command[0] = "{python}"
        for name, value in words.items():
            command = [word.replace(f"{{{name}}}", value) for word in command]
        return tuple(command)


@dataclass(frozen=True, slots=True)
class ImageTable:
    """The entries in the order in which they are tried."""

    images: tuple[Image, ...] = ()

    def find(self, name: str) -> Image | None:
        """The first entry whose glob matches the image's whole name."""
        return next((image for image in self.images if fnmatchcase(name, image.glob)), None)


def parse_images(data: Mapping[str, str]) -> ImageTable:
    """Read the config map's data. No key: an empty table. Raises ImageTableError."""
    try:
        entries = yaml.safe_load(data.get(KEY) or "[]")
    except yaml.YAMLError as error:
        raise ImageTableError(f"{KEY} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(entries, list):
        raise ImageTableError(f"{KEY} must be a list of {{image, command, env}}, not {_kind(entries)}")
    return ImageTable(tuple(_image(place, entry) for place, entry in enumerate(entries)))


def _image(place: int, entry: Any) -> Image:
    where = f"{KEY}[{place}]"
    if not isinstance(entry, dict):
        raise ImageTableError(f"{where} must be a mapping with image and command, not {_kind(entry)}")
    unknown = set(entry) - {"image", "command", "env", "workingDir"}
    if unknown:
        raise ImageTableError(f"{where} has the unknown key {min(map(str, unknown))!r}")
    glob, env = entry.get("image"), entry.get("env") or {}
    if not isinstance(glob, str) or not glob:
        raise ImageTableError(f"{where}.image must be an image's name or a glob")
    if not isinstance(env, dict) or any(isinstance(value, dict | list) for value in env.values()):
        raise ImageTableError(f"{where}.env must map names to texts")
    pairs = tuple((str(name), _text(value)) for name, value in env.items())
    return Image(glob, _command(where, entry.get("command")), pairs, str(entry.get("workingDir") or ""))


def _command(where: str, command: Any) -> tuple[str, ...]:
    if isinstance(command, str):
        try:
            command = shlex.split(command)
        except ValueError as error:
            raise ImageTableError(f"{where}.command can't be split into words: {error}") from error
    if not isinstance(command, list) or not command or any(isinstance(word, dict | list) for word in command):
        raise ImageTableError(f"{where}.command must be a list of words, or one line of them")
    return tuple(_text(word) for word in command)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _kind(value: Any) -> str:
    return {str: "a text", dict: "a mapping", int: "a number", float: "a number"}.get(type(value), "this")


def how_to_add(image: str, system_namespace: str) -> str:
    """What to do about an image that the table does not know, in a sentence for a condition."""
    return (
        f"image {image!r} is not in the image table; add it to {KEY} in the config map {CONFIG_MAP} "
        f"(kubectl -n {system_namespace} edit configmap {CONFIG_MAP}), for example: "
        f'- {{image: "{image}", command: [python3, app.py]}}, or give the container a command of its own'
    )
