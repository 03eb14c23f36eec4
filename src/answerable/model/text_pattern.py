"""Match texts against patterns with `*` as the only wildcard, in linear time."""

from collections.abc import Sequence


def matches_parts_between_wildcards(
    text: str, parts: Sequence[str], minimum: int = 0
) -> bool:
    """Match a whole text against the literal parts between wildcards.

    Args:
        text: The text.
        parts: Literal parts before, between and after the wildcards.
        minimum: Characters that each wildcard takes at least.
    """
    first, *rest = parts
    if not rest:
        return text == first
    *middle, last = rest
    at, end = len(first), len(text) - len(last)
    if end - at < minimum or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in middle:
        found = text.find(part, at + minimum, end)
        if found < 0:
            return False
        at = found + len(part)
    return end - at >= minimum
