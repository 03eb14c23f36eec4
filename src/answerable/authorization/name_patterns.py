"""Match names against allow-table patterns: exact text, `*` for all, or `prefix*`.

Prefixes are compared as text, but the server may normalise: `file:///srv/` is a prefix
of `file:///srv/../etc/passwd`. So a prefix matches no name with `..`, a backslash, a
control character, or an escape of one of these, of `.`, `/` or `%`. Exact text and `*`
match any name.
"""

import re

ALL = "*"

_PLAIN = re.compile(
    r"(?:[^.\\%\x00-\x1f\x7f]++|\.(?!\.)|%(?!2[5EeFf]|5[Cc]|[01]|7[Ff]))*+"
)


def is_prefix_pattern(pattern: str) -> bool:
    """Return whether a pattern is a prefix."""
    return pattern.endswith(ALL)


def is_unambiguous_name(name: str) -> bool:
    """Return whether every parser reads a name the same way."""
    return _PLAIN.fullmatch(name) is not None


def matches(pattern: str, name: str) -> bool:
    """Return whether a pattern surely matches a name; use it to allow."""
    if not is_prefix_pattern(pattern):
        return name == pattern
    return pattern == ALL or (
        name.startswith(pattern[:-1]) and is_unambiguous_name(name)
    )


def may_match(pattern: str, name: str) -> bool:
    """Return whether a pattern may match a name; use it to be stricter.

    An ambiguous name may be anywhere, so any prefix matches it.
    """
    if not is_prefix_pattern(pattern):
        return name == pattern
    return name.startswith(pattern[:-1]) or not is_unambiguous_name(name)
