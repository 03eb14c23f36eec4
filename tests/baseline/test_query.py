"""Learning by a query over files brings what folding brings."""

from dataclasses import asdict
from pathlib import Path

import pytest

from answerable.baseline.answers import counted
from answerable.baseline.fold import State, fold
from answerable.baseline.learn import assembled, learn
from answerable.baseline.query import TABLES, counts, rows, teaching
from answerable.model.baseline import Accepted, Profile, Terms, Untrusted
from answerable.store.behaviour import Behaviour
from tests.baseline.bank import ALICE, BILLS, LIST, NOW, PAY, SUBJECT, played, step
from tests.baseline.strategies import history

LOOSE = Terms(min_runs=1, children=3, climb_days=2, untrusted=Untrusted.LEARNED)


def asked(
    behaviour: Behaviour, terms: Terms, accepted: tuple[Accepted, ...] = ()
) -> Profile:
    first = teaching(SUBJECT, terms, NOW, accepted)
    queries = counts(SUBJECT, terms)
    answers = behaviour.ask(
        (first.text, first.parameters),
        {name: (each.text, each.parameters) for name, each in queries.items()},
    )
    return assembled(counted(answers), SUBJECT, terms, NOW, accepted)


def kept(folder: Path, *states: State) -> Behaviour:
    behaviour = Behaviour(folder / "behaviour", TABLES)
    for number, state in enumerate(states):
        found = rows(state.values())
        behaviour.write(
            f"part-{number}", {name: getattr(found, name) for name in asdict(found)}
        )
    return behaviour


@pytest.mark.parametrize("seed", range(12))
def test_a_query_brings_what_the_fold_brings(tmp_path: Path, seed: int) -> None:
    runs = tuple(run for n in range(3) for run in _named(history(seed * 3 + n), n))
    state = fold({}, runs)
    half = dict(list(state.items())[: len(state) // 2])
    rest = {name: each for name, each in state.items() if name not in half}
    behaviour = kept(tmp_path, half, rest)
    for terms in (LOOSE, Terms(min_persons=1)):
        assert asked(behaviour, terms) == learn(state, SUBJECT, terms, NOW)


def _named(runs: tuple, number: int) -> list:
    from tests.baseline.bank import moved

    return [moved(run, run.started, f"{run.id}.{number}") for run in runs]


def test_a_run_that_strangers_led_teaches_a_query_nothing_unless_signed(
    tmp_path: Path,
) -> None:
    bill = (step(BILLS, f"pay {ALICE}", path="b"), step(PAY, "ok", to=ALICE, amount=5))
    state = fold({}, [played(bill), played((step(LIST, []),), "other", NOW - 1)])
    behaviour = kept(tmp_path, state)
    accepted = (Accepted(PAY, "to", ALICE, BILLS),)
    for signed in ((), accepted):
        found = asked(behaviour, Terms(), signed)
        assert found == learn(state, SUBJECT, Terms(), NOW, signed)
        assert found.runs == 1 + len(signed)


def test_a_batch_that_is_written_twice_counts_once(tmp_path: Path) -> None:
    state = fold({}, history(3))
    behaviour = kept(tmp_path, state)
    once = asked(behaviour, LOOSE)
    kept(tmp_path, state)
    assert asked(behaviour, LOOSE) == once
