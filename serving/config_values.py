"""Reading the values of a config map: each error names its key, a missing key is the compiled default."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from kube.duration import parse_duration
from kube.quantity import parse_quantity
from serving.config_autoscaler import ConfigError

T = TypeVar("T")
TRUE, FALSE = ("1", "t", "true"), ("0", "f", "false")


class Reader:
    """The data of one config map, value by value. Each method raises ConfigError."""

    def __init__(self, data: Mapping[str, str]) -> None:
        self.data = data

    def text(self, key: str, default: str, *, choices: tuple[str, ...] = ()) -> str:
        value = self.data.get(key, default).strip()
        if choices and value not in choices:
            raise ConfigError(key, f"{value!r} is none of {', '.join(choices)}")
        return value

    def whole(self, key: str, default: int, *, lowest: int = 0) -> int:
        value = self._read(key, default, int, "a whole number")
        if value < lowest:
            raise ConfigError(key, f"{value} is less than {lowest}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        def parse(text: str) -> bool:
            if text.lower() not in TRUE + FALSE:
                raise ValueError(text)
            return text.lower() in TRUE

        return self._read(key, default, parse, "true or false")

    def duration(self, key: str, default: float, *, only_whole: bool = False) -> float:
        value = self._read(key, default, parse_duration, 'a duration like "600s"')
        if only_whole and value != int(value):
            raise ConfigError(key, "must be whole seconds")
        return value

    def quantity(self, key: str) -> str:
        value = self.data.get(key, "").strip()
        if value:
            self._read(key, 0.0, parse_quantity, 'a quantity like "100m" or "64Mi"')
        return value

    def _read(self, key: str, default: T, parse: Callable[[str], T], wanted: str) -> T:
        text = self.data.get(key)
        if text is None or not text.strip():
            return default
        try:
            return parse(text.strip())
        except ValueError:
            raise ConfigError(key, f"{text!r} is not {wanted}") from None
