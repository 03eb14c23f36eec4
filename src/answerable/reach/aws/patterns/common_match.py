"""Search for a text that several patterns match at once."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache

from answerable.reach.aws.patterns.globs import ANY, STAR

_MOST_PLACES = 1 << 14
_FILLER = "a"  # a sample for any character

Places = tuple[int, ...]
Steps = dict[Places, tuple[Places, str] | None]


@lru_cache(maxsize=1 << 12)
def meeting(patterns: Sequence[str]) -> str | None:
    """Find a short text that every pattern in inner form matches.

    None when there is none, or none was found within bounds.
    """
    start = (0,) * len(patterns)
    before: Steps = {start: None}
    waiting = deque([start])
    end = tuple(map(len, patterns))
    while waiting and len(before) < _MOST_PLACES:
        places = waiting.popleft()
        if places == end:
            return _text(before, end)
        for moved, letter in _moves(patterns, places):
            if moved not in before:
                before[moved] = places, letter
                waiting.append(moved)
    return None


def _moves(patterns: Sequence[str], places: Places) -> Iterator[tuple[Places, str]]:
    """Yield the next states: skip a star, or read a letter in every pattern."""
    here = [p[at : at + 1] for p, at in zip(patterns, places, strict=True)]
    for index, letter in enumerate(here):
        if letter == STAR:
            yield (*places[:index], places[index] + 1, *places[index + 1 :]), ""
    for letter in dict.fromkeys((*here, _FILLER)):
        fits = all(theirs in (letter, STAR, ANY) for theirs in here)
        if letter and letter not in (STAR, ANY) and fits:
            pairs = zip(here, places, strict=True)
            yield tuple(at + (theirs != STAR) for theirs, at in pairs), letter


def _text(before: Steps, places: Places) -> str:
    letters = []
    step = before[places]
    while step is not None:
        letters.append(step[1])
        step = before[step[0]]
    return "".join(reversed(letters))
