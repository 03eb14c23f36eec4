"""Patterns of `match_glob`: anchored, `*` is any text without a slash, and no more.

A slash in a text therefore answers to a slash in the pattern, one to one: both are
compared segment by segment, and so are two patterns.
"""

STAR = "*"
MAX_PATTERN = 512  # characters

# They mean something to other matchers. Whoever writes one expects that, and it would
# be a letter here: a pattern that means less than it seems to.
FOREIGN = frozenset("^$|()[]{}+?\\")


def fits(pattern: str, text: str) -> bool:
    """Tell whether a pattern takes a text as a whole."""
    patterns, texts = pattern.split("/"), text.split("/")
    return len(patterns) == len(texts) and all(map(_fits, patterns, texts))


def meet(one: str, other: str) -> bool:
    """Tell whether there is a text that both patterns take."""
    ones, others = one.split("/"), other.split("/")
    return len(ones) == len(others) and all(map(_meet, ones, others))


def _fits(pattern: str, text: str) -> bool:
    """Hold one segment: its pieces between stars, each at its first place."""
    first, *rest = pattern.split(STAR)
    if not rest:
        return text == first
    *middle, last = rest
    if len(text) < len(first) + len(last):
        return False
    if not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _meet(one: str, other: str) -> bool:
    """Tell whether two segments share a text.

    `ends[j]` says whether what is left of `one` and `other[j:]` share one; the rows go
    from the end of `one` to its beginning. A star either ends here or takes one more
    letter, which may be a star of the other pattern.
    """
    width = len(other)
    ends = [True] * (width + 1)
    for j in reversed(range(width)):
        ends[j] = other[j] == STAR and ends[j + 1]
    for letter in reversed(one):
        row = [False] * (width + 1)
        row[width] = letter == STAR and ends[width]
        for j in reversed(range(width)):
            if letter == STAR:
                row[j] = ends[j] or row[j + 1]
            elif other[j] == STAR:
                row[j] = row[j + 1] or ends[j]
            else:
                row[j] = letter == other[j] and ends[j + 1]
        ends = row
    return ends[0]
