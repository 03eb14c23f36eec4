"""Glob matching in linear time: `*` is any text, `?` exactly one character.

Inside, wildcards are two private characters, so that a `*` that came from a variable's
value or from `${*}` stays a letter. The same matcher tells whether one pattern covers
another: the inner pattern is read as text in which its own wildcards are letters, and
only `*` of the outer pattern takes an inner `*`.
"""

from functools import lru_cache
from typing import Protocol

from answerable.model.text_pattern import matches_parts

STAR = "\ue001"
ANY = "\ue002"
_LITERAL = str.maketrans({STAR: "\ufffd", ANY: "\ufffd"})
_OUTWARD = str.maketrans({STAR: "*", ANY: "?"})
_MOST_OVERLAP_STEPS = 1 << 20


class _Matcher(Protocol):
    def fullmatch(self, text: str) -> object: ...


def inward(text: str) -> str:
    """Convert a pattern as written to the inner form."""
    return literal(text).replace("*", STAR).replace("?", ANY)


def literal(text: str) -> str:
    """Convert a plain text to the inner form, in which `*` and `?` are letters."""
    return text if text.isascii() else text.translate(_LITERAL)


def outward(pattern: str) -> str:
    """Convert the inner form to text."""
    return pattern.translate(_OUTWARD)


def is_literal(pattern: str) -> bool:
    """Tell whether a pattern in inner form has no wildcard."""
    return STAR not in pattern and ANY not in pattern


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern in inner form matches a whole text.

    `text` may be a pattern in inner form itself; then the answer is whether everything
    that matches `text` also matches `pattern` (never wrongly true).
    """
    if STAR not in pattern and ANY not in pattern:
        return pattern == text
    if ANY in pattern:
        return _compiled(pattern).fullmatch(text) is not None
    return matches_parts(text, pattern.split(STAR))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> _Matcher:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    parts = {STAR: ".*", ANY: f"[^{STAR}]"}
    text = "".join(parts.get(c) or re2.escape(c) for c in pattern)
    try:
        compiled: _Matcher = re2.compile(text, options)
    except re2.error:
        return _Stepwise(pattern)  # too large for an automaton
    return compiled


class _Stepwise:
    """Glob matcher that simulates the pattern's automaton by its set of states."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def fullmatch(self, text: str) -> bool | None:
        pattern = self._pattern
        places = self._past_stars({0})
        for letter in text:
            moved = set()
            for place in places - {len(pattern)}:
                wanted = pattern[place]
                if wanted == STAR:
                    moved.add(place)
                elif wanted == letter or (wanted == ANY and letter != STAR):
                    moved.add(place + 1)
            places = self._past_stars(moved)
        return True if len(pattern) in places else None

    def _past_stars(self, places: set[int]) -> set[int]:
        found = set(places)
        for place in places:
            while place < len(self._pattern) and self._pattern[place] == STAR:
                place += 1
                found.add(place)
        return found


@lru_cache(maxsize=1 << 16)
def begins(pattern: str) -> str:
    """Return the literal prefix before the first wildcard."""
    return pattern.partition(STAR)[0].partition(ANY)[0]


def _told(one: str, other: str) -> bool | None:
    """Decide the overlap of two patterns in simple cases, else return None."""
    if is_literal(one):
        return matches(other, one)
    if is_literal(other):
        return matches(one, other)
    if STAR in (one, other):
        return True
    mine, theirs = begins(one), begins(other)
    if not (mine.startswith(theirs) or theirs.startswith(mine)):
        return False
    if one == mine + STAR and other == theirs + STAR:
        return True
    return None


@lru_cache(maxsize=1 << 16)
def overlaps(one: str, other: str) -> bool:
    """Tell whether some text matches both patterns (true when too long to tell)."""
    told = _told(one, other)
    if told is not None:
        return told
    if len(one) * len(other) > _MOST_OVERLAP_STEPS:
        return True
    row = [True] + [False] * len(other)
    for j, letter in enumerate(other):
        row[j + 1] = row[j] and letter == STAR
    for mine in one:
        new = [row[0] and mine == STAR]
        for j, theirs in enumerate(other):
            if STAR in (mine, theirs):
                new.append(row[j + 1] or new[j])
            else:
                new.append(row[j] and (mine == theirs or ANY in (mine, theirs)))
        row = new
    return row[-1]
