"""Names: which are valid, and how Kubernetes and Knative make new ones."""

import hashlib
import random
import re

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_MAX_LABEL = 63
_MAX_SUBDOMAIN = 253
_MD5_HEX = 32
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def is_dns1035_label(text: str) -> bool:
    """Whether the text is a DNS label that starts with a letter."""
    return len(text) <= _MAX_LABEL and _LABEL_1035.fullmatch(text) is not None


def is_dns1123_label(text: str) -> bool:
    """Whether the text is a DNS label that may start with a digit."""
    return len(text) <= _MAX_LABEL and _LABEL_1123.fullmatch(text) is not None


def is_dns1123_subdomain(text: str) -> bool:
    """Whether the text is labels joined by dots, as most object names must be."""
    return len(text) <= _MAX_SUBDOMAIN and all(_LABEL_1123.fullmatch(part) for part in text.split("."))


def random_suffix(rng: random.Random, length: int = 5) -> str:
    """A suffix in the alphabet that Kubernetes uses, without vowels and look-alikes."""
    return "".join(rng.choice(_SUFFIX_ALPHABET) for _ in range(length))


def child_name(parent: str, suffix: str) -> str:
    """`parent + suffix`, shortened by Knative's rule (pkg/kmeta/names.go) where that passes 63 characters.

    A long parent is cut and followed by its md5, so that two long parents never share a child's name.
    """
    if len(parent) + len(suffix) <= _MAX_LABEL:
        return parent + suffix
    head = _MAX_LABEL - _MD5_HEX
    if len(suffix) < head:
        digest = hashlib.md5(parent.encode(), usedforsecurity=False).hexdigest()
        return parent[: head - len(suffix)] + digest + suffix
    # The suffix alone fills a name: both go into the digest, and the suffix's head pads what is left.
    digest = hashlib.md5((parent + suffix).encode(), usedforsecurity=False).hexdigest()
    start = parent[:head] + digest
    return re.sub(r"[^a-zA-Z0-9]+$", "", start + suffix[: _MAX_LABEL - len(start)])
