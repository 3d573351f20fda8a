"""How a refusal is said: which field, what is wrong with it, what to do."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """``path`` as Knative writes it: "spec.template.spec.containers[0].image"."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class Refused(Exception):  # noqa: N818 - it says what happened to the object, not what broke
    """An object is not taken; nothing was changed."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = errors


Errors = Iterator[FieldError]
"""What a rule yields: nothing when all is well."""
