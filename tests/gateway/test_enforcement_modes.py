"""Agents that were enforced and no longer are stay known until they are again."""

from dataclasses import replace

from answerable.model.config import Config, DeclaredAgent
from answerable.model.decision import EnforcementMode
from answerable.model.enforcement_modes import (
    DEFAULT_MODE,
    RecordedModes,
    compare_modes,
)
from answerable.model.ids import build_agent_id
from tests.authorization.config_strategies import config

ENFORCE, SHADOW = EnforcementMode.ENFORCE, EnforcementMode.SHADOW
OBSERVE = EnforcementMode.OBSERVE
A = "agent:declared/a"


def file_of(
    default: EnforcementMode = ENFORCE, *confirmed: str, **modes: EnforcementMode
) -> Config:
    agents = tuple(
        DeclaredAgent(build_agent_id("declared", name), name, "", mode, (), ())
        for name, mode in modes.items()
    )
    return replace(
        config(default_mode=default), agents=agents, ends_enforcement=confirmed
    )


def play(*files: Config) -> list[RecordedModes]:
    """Apply files one after the other, at the times 1, 2, ..."""
    taken: list[RecordedModes] = []
    for at, each in enumerate(files, 1):
        taken.append(compare_modes(each, taken[-1] if taken else None, at))
    return taken


def ended(modes: RecordedModes) -> list[tuple[str, str, int, bool]]:
    return [(e.subject, e.mode, e.since, e.confirmed) for e in modes.ended]


def test_the_first_file_ends_nothing() -> None:
    assert ended(play(file_of(OBSERVE, a=SHADOW, b=OBSERVE))[0]) == []


def test_an_agent_that_is_enforced_no_longer_stays_known_until_it_is_again() -> None:
    taken = play(
        file_of(a=ENFORCE, b=ENFORCE),
        file_of(a=SHADOW, b=ENFORCE),
        file_of(a=OBSERVE, b=ENFORCE),
        file_of(a=ENFORCE, b=ENFORCE),
    )
    assert ended(taken[1]) == [(A, "shadow", 2, False)]
    assert ended(taken[2]) == [(A, "observe", 2, False)]
    assert ended(taken[3]) == []
    assert not taken[2].is_same_as(taken[1])


def test_an_agent_that_the_file_names_no_more_has_the_default_mode() -> None:
    assert ended(play(file_of(a=ENFORCE), file_of())[1]) == []
    files = file_of(OBSERVE, a=ENFORCE), file_of(OBSERVE), file_of()
    first, second, third = play(*files)
    assert ended(first) == []
    assert ended(second) == [(A, "observe", 2, False)]
    assert ended(third) == []


def test_the_default_mode_is_compared_too() -> None:
    assert ended(play(file_of(), file_of(SHADOW))[1]) == [
        (DEFAULT_MODE, "shadow", 2, False)
    ]


def test_the_file_confirms_by_name() -> None:
    taken = play(
        file_of(a=ENFORCE, b=ENFORCE),
        file_of(OBSERVE, "a", "b", DEFAULT_MODE, a=SHADOW),
        file_of(OBSERVE, DEFAULT_MODE, a=SHADOW),
    )
    assert taken[1].unconfirmed == ()
    assert len(taken[1].ended) == 3
    assert [each.subject for each in taken[2].unconfirmed] == [A, "agent:declared/b"]
