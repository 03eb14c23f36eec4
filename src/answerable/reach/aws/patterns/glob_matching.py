"""Match globs in linear time: `*` is any text, `?` is exactly one character.

Inside, wildcards are two private characters, so that a `*` that came from a variable's
value or from `${*}` stays a letter. The same matcher tells whether one pattern covers
another: the inner pattern is read as text in which its own wildcards are letters, and
only `*` of the outer pattern takes an inner `*`.
"""

from functools import lru_cache
from typing import Protocol

from answerable.model.text_pattern import matches_parts_between_wildcards

ANY_TEXT = "\ue001"
ANY_CHARACTER = "\ue002"
_LITERAL = str.maketrans({ANY_TEXT: "\ufffd", ANY_CHARACTER: "\ufffd"})
_OUTWARD = str.maketrans({ANY_TEXT: "*", ANY_CHARACTER: "?"})
_MOST_OVERLAP_STEPS = 1 << 20


class _GlobMatcher(Protocol):
    def fullmatch(self, text: str) -> object:
        """Match a whole text; None if it does not match."""


def encode_glob(text: str) -> str:
    """Encode a policy's pattern: wildcards become two private characters."""
    return encode_literal(text).replace("*", ANY_TEXT).replace("?", ANY_CHARACTER)


def encode_literal(text: str) -> str:
    """Encode a plain text, in which `*` and `?` are ordinary letters."""
    return text if text.isascii() else text.translate(_LITERAL)


def decode_glob(pattern: str) -> str:
    """Decode an encoded pattern to text with `*` and `?`."""
    return pattern.translate(_OUTWARD)


def has_no_wildcard(pattern: str) -> bool:
    """Return whether an encoded pattern has no wildcard."""
    return ANY_TEXT not in pattern and ANY_CHARACTER not in pattern


def matches_glob(pattern: str, text: str) -> bool:
    """Return whether an encoded pattern matches a whole text.

    `text` may be an encoded pattern itself; then the answer is whether everything
    that matches `text` also matches `pattern` (never wrongly true).
    """
    if ANY_TEXT not in pattern and ANY_CHARACTER not in pattern:
        return pattern == text
    if ANY_CHARACTER in pattern:
        return _compile_glob_matcher(pattern).fullmatch(text) is not None
    return matches_parts_between_wildcards(text, pattern.split(ANY_TEXT))


@lru_cache(maxsize=4096)
def _compile_glob_matcher(pattern: str) -> _GlobMatcher:
    """Compile a pattern to RE2, or to a state-set matcher if too large."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    parts = {ANY_TEXT: ".*", ANY_CHARACTER: f"[^{ANY_TEXT}]"}
    text = "".join(parts.get(c) or re2.escape(c) for c in pattern)
    try:
        compiled: _GlobMatcher = re2.compile(text, options)
    except re2.error:
        return _StateSetMatcher(pattern)  # too large for an automaton
    return compiled


class _StateSetMatcher:
    """Glob matcher that simulates the pattern's automaton by its set of states."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def fullmatch(self, text: str) -> bool | None:
        """Match a whole text; None if it does not match."""
        pattern = self._pattern
        places = self._add_states_after_stars({0})
        for letter in text:
            moved = set()
            for place in places - {len(pattern)}:
                wanted = pattern[place]
                if wanted == ANY_TEXT:
                    moved.add(place)
                elif wanted == letter or (
                    wanted == ANY_CHARACTER and letter != ANY_TEXT
                ):
                    moved.add(place + 1)
            places = self._add_states_after_stars(moved)
        return True if len(pattern) in places else None

    def _add_states_after_stars(self, states: set[int]) -> set[int]:
        """Add the states reached by letting each `*` match nothing."""
        found = set(states)
        for place in states:
            while place < len(self._pattern) and self._pattern[place] == ANY_TEXT:
                place += 1
                found.add(place)
        return found


@lru_cache(maxsize=1 << 16)
def get_prefix_before_wildcard(pattern: str) -> str:
    """Return the text before the first wildcard."""
    return pattern.partition(ANY_TEXT)[0].partition(ANY_CHARACTER)[0]


def _decide_glob_overlap_quickly(one: str, other: str) -> bool | None:
    """Tell in simple cases whether two patterns overlap, else return None."""
    if has_no_wildcard(one):
        return matches_glob(other, one)
    if has_no_wildcard(other):
        return matches_glob(one, other)
    if ANY_TEXT in (one, other):
        return True
    mine, theirs = get_prefix_before_wildcard(one), get_prefix_before_wildcard(other)
    if not (mine.startswith(theirs) or theirs.startswith(mine)):
        return False
    if one == mine + ANY_TEXT and other == theirs + ANY_TEXT:
        return True
    return None


@lru_cache(maxsize=1 << 16)
def do_globs_overlap(one: str, other: str) -> bool:
    """Return whether some text matches both patterns (true if too long to decide)."""
    told = _decide_glob_overlap_quickly(one, other)
    if told is not None:
        return told
    if len(one) * len(other) > _MOST_OVERLAP_STEPS:
        return True
    row = [True] + [False] * len(other)
    for j, letter in enumerate(other):
        row[j + 1] = row[j] and letter == ANY_TEXT
    for mine in one:
        new = [row[0] and mine == ANY_TEXT]
        for j, theirs in enumerate(other):
            if ANY_TEXT in (mine, theirs):
                new.append(row[j + 1] or new[j])
            else:
                new.append(
                    row[j] and (mine == theirs or ANY_CHARACTER in (mine, theirs))
                )
        row = new
    return row[-1]
