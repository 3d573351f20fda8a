"""What Kubernetes says of names, label keys and label values that it does not take: each rule's own words.

Every function returns the complaints about a text, none when it is right.
"""

import re
from collections.abc import Callable, Iterator

_LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL_1123}(\.{_LABEL_1123})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"

Rule = Callable[[str], list[str]]


def _is(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None


def _too_long(text: str, limit: int) -> list[str]:
    return [f"must be no more than {limit} characters"] if len(text) > limit else []


def subdomain(text: str) -> list[str]:
    """Most objects' names."""
    found = _too_long(text, 253)
    if not _is(_SUBDOMAIN, text):
        words = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        found.append(f"{words} (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')")
    return found


def label(text: str) -> list[str]:
    """Names of namespaces, of containers, of ports."""
    found = _too_long(text, 63)
    if not _is(_LABEL_1123, text):
        words = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character"
        )
        if "." in text and _is(_SUBDOMAIN, text):
            found.append("must not contain dots")
        else:
            hint = f"(e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL_1123}')"
            found.append(f"{words} {hint}")
    return found


def label_1035(text: str) -> list[str]:
    """Names of Services."""
    found = _too_long(text, 63)
    if not _is(_LABEL_1035, text):
        words = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
            "start with an alphabetic character, and end with an alphanumeric character"
        )
        hint = f"(e.g. 'my-name',  or 'abc-123', regex used for validation is '{_LABEL_1035}')"
        found.append(f"{words} {hint}")
    return found


def qualified(text: str) -> list[str]:
    """Keys of labels and annotations, names of finalizers: a name, perhaps after a domain and a slash."""
    prefix, slash, name = text.partition("/")
    if not slash:
        return list(_name_part(text))
    if "/" in name:
        words = _qualified_words()
        return [f"{words} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    complaints = subdomain(prefix) if prefix else ["must be non-empty"]
    return [*(f"prefix part {words}" for words in complaints), *_name_part(name)]


def _qualified_words() -> str:
    return (
        "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
        "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
        f"regex used for validation is '{_QUALIFIED}')"
    )


def _name_part(name: str) -> Iterator[str]:
    if not name:
        yield "name part must be non-empty"
    for words in _too_long(name, 63):
        yield f"name part {words}"
    if not _is(_QUALIFIED, name):
        words = _qualified_words().removeprefix("a qualified name ")
        yield f"name part {words}"


def label_value(text: str) -> list[str]:
    """What a label may hold."""
    found = _too_long(text, 63)
    if not _is(_LABEL_VALUE, text):
        found.append(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
            f"'12345', regex used for validation is '{_LABEL_VALUE}')"
        )
    return found


def config_key(text: str) -> list[str]:
    """Keys of config maps and secrets."""
    found = _too_long(text, 253)
    if not _is(_CONFIG_KEY, text):
        found.append(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
            f"(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
        )
    return found


def port(text: str) -> list[str]:
    """Names of ports."""
    found = _too_long(text, 15)
    if not _is("[-a-z0-9]+", text):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    elif not re.search("[a-z]", text):
        found.append("must contain at least one letter (a-z)")
    elif "--" in text:
        found.append("must not contain consecutive hyphens")
    elif text.startswith("-") or text.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def variable(text: str) -> list[str]:
    """Names of environment variables."""
    if _is("[ -<>-~]+", text):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other than '='"
    ]
