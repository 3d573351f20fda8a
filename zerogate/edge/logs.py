"""Log lines: sentences on a terminal, JSON everywhere else."""

import json
import logging
import sys
import time
from typing import Any

from kube.text import escaped, json_escaped


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, program, message, and the record's own `data`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line of JSON."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "program": record.name.removeprefix("zerogate."),
            "message": record.getMessage(),
            **getattr(record, "data", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json_escaped(json.dumps(line, default=str, ensure_ascii=False))


class Sentences(logging.Formatter):
    """The time of day and the message; the level only where it is worse than usual.

    A message may quote what a pod wrote: it gets one line, and no control character reaches the terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as a person reads it."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        worse = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        text = f"{clock}  {worse}{escaped(record.getMessage())}"
        if record.exc_info:
            text += "\n" + escaped(self.formatException(record.exc_info), keeps_lines=True)
        return text


def configure(level: str) -> None:
    """Send the log to stderr. `level`: debug, info, warning or error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Sentences() if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("aiohttp", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
