r"""Patterns of the allow table: exact text, `*` for all, a prefix that ends in `*`.

A prefix is compared as text, and what reads the name behind us may not: `file:///srv/`
begins `file:///srv/../etc/passwd`. So a prefix takes no name in which stands what
another reader could walk up, decode once more, or drop: `..`, a backslash, a control
character, or an escape of one of these, of `.`, `/` or `%`. Exact text and `*` take any.
"""

import re

ALL = "*"

_PLAIN = re.compile(
    r"(?:[^.\\%\x00-\x1f\x7f]++|\.(?!\.)|%(?!2[5EeFf]|5[Cc]|[01]|7[Ff]))*+"
)


def is_prefix(pattern: str) -> bool:
    """Tell whether a pattern stands for all that begins like it."""
    return pattern.endswith(ALL)


def is_plain(name: str) -> bool:
    """Tell whether every reader takes a name for what it says."""
    return _PLAIN.fullmatch(name) is not None


def fits(pattern: str, name: str) -> bool:
    """Tell whether a pattern takes a name, where taking it lets something happen."""
    if not is_prefix(pattern):
        return name == pattern
    return pattern == ALL or (name.startswith(pattern[:-1]) and is_plain(name))


def may_fit(pattern: str, name: str) -> bool:
    """Tell whether a pattern may take a name, where taking it asks for more care.

    A name that is not plain may be anywhere, so any prefix takes it.
    """
    if not is_prefix(pattern):
        return name == pattern
    return name.startswith(pattern[:-1]) or not is_plain(name)
