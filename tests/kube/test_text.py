"""Text that pods and users wrote reaches terminals, logs and responses without control characters."""

import io
import json
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.http.replies import CANNOT_START, render
from kube.text import escaped, json_escaped
from zerogate.edge.logs import JsonLines, Sentences

FORGED = "\x1b]0;PWNED\x07\x1b[2J\n17:00:00  other-00001 woke in 5 ms\r\x9b31m\u202egnp\u2028\x7f"
ANY = st.text(st.characters(codec=None))


def is_safe(text: str, *, lines: bool = False) -> bool:
    allowed = "\n\t" if lines else ""
    return all(each in allowed or unicodedata.category(each) not in {"Cc", "Cs", "Zl", "Zp"} for each in text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, größer, 日本語, 🙂", "plain, größer, 日本語, 🙂"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("one\ntwo\ttab\r", "one\\ntwo\\ttab\\r"),
        ("\x00\x07\x7f\x9b", "\\x00\\x07\\x7f\\x9b"),
        ("a\u202eb\u2028c", "a\\u202eb\\u2028c"),
    ],
)
def test_control_characters_are_escaped_and_all_else_stays(text: str, shown: str) -> None:
    assert escaped(text) == shown


@given(ANY)
def test_whatever_is_written_nothing_controls_the_terminal(text: str) -> None:
    assert is_safe(escaped(text))
    assert is_safe(escaped(text, keeps_lines=True), lines=True)
    escaped(text).encode()


@given(ANY)
def test_an_escaped_json_text_means_the_same(text: str) -> None:
    line = json_escaped(json.dumps(text, ensure_ascii=False))
    assert is_safe(line)
    assert json.loads(line) == text


def logged(formatter: logging.Formatter, message: str, error: Exception | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    info = None if error is None else (type(error), error, error.__traceback__)
    handler.emit(logging.LogRecord("zerogate.up", logging.INFO, "", 0, "%s", (message,), info))
    return stream.getvalue()


def test_a_log_line_that_quotes_a_pod_stays_one_line() -> None:
    """On a terminal and as JSON: a pod cannot forge a second line, clear the screen or set the title."""
    line = logged(Sentences(), FORGED)
    assert line.count("\n") == 1
    assert is_safe(line[:-1])
    assert "\\x1b]0;PWNED\\x07\\x1b[2J\\n17:00:00" in line
    line = logged(JsonLines(), FORGED)
    assert is_safe(line[:-1])
    assert json.loads(line)["message"] == FORGED


def test_the_trace_of_a_defect_keeps_its_lines_and_nothing_else() -> None:
    text = logged(Sentences(), "a defect", ValueError(FORGED))
    assert is_safe(text, lines=True)
    assert text.splitlines()[1].startswith("ValueError")
    assert "\\x1b]0;PWNED" in text


@pytest.mark.parametrize("as_json", [True, False])
def test_a_response_that_quotes_a_pod_has_no_control_characters(as_json: bool) -> None:
    response = render(CANNOT_START.because(FORGED), as_json=as_json, close=False, date=b"Date: now\r\n")
    head, _, body = response.partition(b"\r\n\r\n")
    assert is_safe(body.decode()[:-1])
    assert b"PWNED" in body
    assert f"Content-Length: {len(body)}".encode() in head
