"""Search for one example text that matches several glob patterns at once."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache

from answerable.reach.aws.patterns.glob_matching import ANY_CHARACTER, ANY_TEXT

_MAX_STATES = 1 << 14
_FILLER = "a"  # a sample for any character

MatcherState = tuple[int, ...]
StatePredecessors = dict[MatcherState, tuple[MatcherState, str] | None]


@lru_cache(maxsize=1 << 12)
def find_matching_text(patterns: Sequence[str]) -> str | None:
    """Find a short text that every encoded pattern matches; None if none.

    None when there is none, or none was found within bounds.
    """
    start = (0,) * len(patterns)
    before: StatePredecessors = {start: None}
    waiting = deque([start])
    end = tuple(map(len, patterns))
    while waiting and len(before) < _MAX_STATES:
        places = waiting.popleft()
        if places == end:
            return _build_text_from_search_states(before, end)
        for moved, letter in _list_next_search_states(patterns, places):
            if moved not in before:
                before[moved] = places, letter
                waiting.append(moved)
    return None


def _list_next_search_states(
    patterns: Sequence[str], states: MatcherState
) -> Iterator[tuple[MatcherState, str]]:
    """Yield the next search states: skip a `*`, or read one letter."""
    here = [p[at : at + 1] for p, at in zip(patterns, states, strict=True)]
    for index, letter in enumerate(here):
        if letter == ANY_TEXT:
            yield (*states[:index], states[index] + 1, *states[index + 1 :]), ""
    for letter in dict.fromkeys((*here, _FILLER)):
        fits = all(theirs in (letter, ANY_TEXT, ANY_CHARACTER) for theirs in here)
        if letter and letter not in (ANY_TEXT, ANY_CHARACTER) and fits:
            pairs = zip(here, states, strict=True)
            yield tuple(at + (theirs != ANY_TEXT) for theirs, at in pairs), letter


def _build_text_from_search_states(
    predecessors: StatePredecessors, states: MatcherState
) -> str:
    """Rebuild the found text from the recorded search states."""
    letters = []
    step = predecessors[states]
    while step is not None:
        letters.append(step[1])
        step = predecessors[step[0]]
    return "".join(reversed(letters))
