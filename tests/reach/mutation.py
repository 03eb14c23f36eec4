"""Mutation testing: change the engine, and search for a case on which a law fails."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

Plant = Callable[[pytest.MonkeyPatch], None]
Case = TypeVar("Case")


def is_caught(
    plant: Plant,
    cases: st.SearchStrategy[Case],
    law: Callable[[Case], object],
    most: int = 3000,
) -> bool:
    """Return whether a law fails on a case because of what is planted.

    Args:
        plant: Makes the mistake.
        cases: What the law is held against.
        law: Raises `AssertionError` on a case that breaks it.
        most: Cases to try.

    Raises:
        AssertionError: The law fails on the case without the mistake, too.
    """

    with apply_mutation(plant):
        broken = _first(cases, law, most)
    for case in broken:
        law(case)
    return bool(broken)


def is_found(
    cases: st.SearchStrategy[Case], law: Callable[[Case], object], most: int
) -> bool:
    """Return whether a law fails on one of the first cases."""
    return bool(_first(cases, law, most))


def _first(
    cases: st.SearchStrategy[Case], law: Callable[[Case], object], most: int
) -> list[Case]:
    def fails(case: Case) -> bool:
        try:
            law(case)
        except AssertionError:
            return True
        return False

    enough = settings(
        max_examples=most,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        return [find(cases, fails, settings=enough)]
    except NoSuchExample:
        return []


@contextmanager
def apply_mutation(plant: Plant) -> Iterator[None]:
    """Plant a mistake for a while; what was remembered without it is forgotten."""
    _forget()
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        yield
    _forget()


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("answerable.reach."):
            for value in list(vars(module).values()):
                clear = getattr(value, "cache_clear", None)
                if clear is not None:
                    clear()
