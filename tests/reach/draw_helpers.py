"""Hypothesis draws without new strategies, which are expensive to build."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

One = TypeVar("One")


@cache
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


def pick(draw: st.DrawFn, among: Sequence[One]) -> One:
    """One of several; shrinks towards the first."""
    return among[draw(_below(len(among)))]


def some(draw: st.DrawFn, least: int, most: int, make: Callable[[], One]) -> list[One]:
    """From `least` to `most` of what `make` draws."""
    return [make() for _ in range(least + draw(_below(most - least + 1)))]


def distinct(draw: st.DrawFn, least: int, most: int, among: Sequence[One]) -> list[One]:
    """From `least` to `most` different ones."""
    left, chosen = list(dict.fromkeys(among)), []
    for _ in range(min(least + draw(_below(most - least + 1)), len(left))):
        one = pick(draw, [each for each in among if each in left])
        left.remove(one)
        chosen.append(one)
    return chosen
