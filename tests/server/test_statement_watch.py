"""Statements in force while their store cannot be read."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    VerificationError,
)
from answerable.server.statement_watch import FailureListener, StatementWatch
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.services.statements.person_requests import PersonRequestReader
from answerable.services.statements.policy_exceptions import PolicyExceptionReader
from answerable.services.statements.signed_baselines import SignedBaselineReader
from answerable.services.statements.signed_statements import (
    RejectedStatement,
    StatementReading,
)
from answerable.services.statements.statements_in_force import StatementKind
from answerable.store.store import EvidenceStore

AWAY = EnvironmentFailure("the store cannot be read", "see who owns it")
WRONG = VerificationError("the log is not what it was", "see docs/evidence.md")
STATEMENT = ("a",)
KINDS = (
    PolicyExceptionReader,
    PersonRequestReader,
    AttestedOwnerReader,
    SignedBaselineReader,
)


def watch_of(
    root: Path, *kinds: StatementKind, failed: FailureListener
) -> StatementWatch:
    return StatementWatch(root, kinds, lambda _: None, lambda *_: None, failed)


@pytest.mark.parametrize(
    ("kind", "minutes", "outlives"),
    [
        (PolicyExceptionReader, 1, False),
        (PersonRequestReader, 1, False),
        (AttestedOwnerReader, 5, False),
        (SignedBaselineReader, 1, True),
    ],
)
def test_statements_that_allow_end_in_time_and_those_that_restrict_stay(
    tmp_path: Path, kind: StatementKind, minutes: int, outlives: bool
) -> None:
    for error, seconds, stays in (
        (AWAY, minutes * 60 - 1, True),
        (AWAY, minutes * 60 + 1, outlives),
        (WRONG, 0, outlives),
    ):
        failures: list[str] = []
        watch = watch_of(tmp_path, kind, failed=failures.append)
        watch._apply_readings({kind: StatementReading(STATEMENT, ())}, 1000.0)
        watch._apply_readings({kind: error}, 1000.0 + seconds)
        assert (watch.current.get(kind) == STATEMENT) is stays, (error, seconds)
        assert failures == [error.message]


def test_a_kind_that_cannot_be_read_takes_no_other_kind_away(tmp_path: Path) -> None:
    failures: list[str] = []
    watch = watch_of(tmp_path, *KINDS, failed=failures.append)
    good = StatementReading(STATEMENT, ())
    watch._apply_readings(dict.fromkeys(KINDS, good), 1000.0)
    watch._apply_readings({**dict.fromkeys(KINDS, good), KINDS[0]: WRONG}, 1001.0)
    assert [watch.current.get(kind) for kind in KINDS] == [(), *[STATEMENT] * 3]
    watch._apply_readings(dict.fromkeys(KINDS, AWAY), 1002.0)
    watch._apply_readings(dict.fromkeys(KINDS, AWAY), 1003.0)
    assert failures == [WRONG.message, AWAY.message]  # one line for all kinds


class Scripted(PolicyExceptionReader):
    """Reads what the test sets."""

    finds: tuple[str, ...] | AnswerableError = ()
    opened = 0

    def __init__(self, store: EvidenceStore) -> None:
        Scripted.opened += 1
        super().__init__(store)

    def read(self, now: int) -> StatementReading[Any]:
        if isinstance(self.finds, AnswerableError):
            raise self.finds
        odd = tuple(RejectedStatement(each, "odd") for each in self.finds)
        return StatementReading(self.finds, odd)


def test_each_change_and_each_reason_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[object] = []

    async def story() -> None:
        watch = StatementWatch(
            tmp_path,
            (Scripted,),
            lambda statements: heard.append(statements.get(Scripted)),
            lambda *each: heard.append(each),
            heard.append,
        )
        await watch.refresh()  # there is no store yet
        assert len(heard) == 1
        assert watch.failure
        EvidenceStore.open(tmp_path, now=0).close()
        heard.clear()
        a = STATEMENT
        for finds in ((), a, a, AWAY, AWAY, a, AWAY, a, WRONG, a):
            monkeypatch.setattr(Scripted, "finds", finds)
            await watch.refresh()
        await watch.close()
        assert Scripted.opened == 5  # at the start, and after each failure

    asyncio.run(story())
    away, first = AWAY.message, ("amendment", "a", "odd")
    assert heard == [first, STATEMENT, away, away, (), WRONG.message, STATEMENT]
