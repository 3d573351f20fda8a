"""Text of others (programs in pods, users' objects) made fit for a terminal, a log line or a response."""

import re

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters (C0, DEL, C1), line separators, marks that turn the direction of text (they can hide or
reorder what a line says), and surrogates, which cannot be encoded.
"""
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\x1b": "\\x1b"}


def escaped(text: str, *, keeps_lines: bool = False) -> str:
    """The text with its control characters as escapes. `keeps_lines`: line feeds and tabs stay."""
    if keeps_lines:
        return _UNSAFE.sub(lambda found: found[0] if found[0] in "\n\t" else _escape(found[0]), text)
    return _UNSAFE.sub(lambda found: _escape(found[0]), text)


def json_escaped(line: str) -> str:
    """A JSON text in which they are escaped, too, as JSON escapes; JSON itself demands that of C0 alone."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _escape(character: str) -> str:
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
