"""What a check found."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "advice", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`about` names what was looked at: "API server", "Deployment shop/web". The message says what to do."""

    level: Level
    about: str
    message: str

    def __str__(self) -> str:
        return f"{self.level:<8} {self.about}: {' '.join(self.message.split())}"

    def as_json(self) -> dict[str, str]:
        """For `-o json`."""
        return {"level": self.level, "about": self.about, "message": self.message}


def has_problem(findings: Iterable[Finding]) -> bool:
    """Whether something must be mended."""
    return any(finding.level == "problem" for finding in findings)
