"""What stands in a process while the store that it lies in cannot be read."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    VerificationError,
)
from answerable.server.baseline_watch import BaselineWatch
from answerable.server.operator_log import OperatorLog
from answerable.server.person_request_watch import PersonRequestWatch
from answerable.server.policy_exception_watch import PolicyExceptionWatch
from answerable.server.store_watch import StoreWatch
from answerable.store.store import EvidenceStore
from answerable.sts.runtime.owner_watch import OwnerWatch

AWAY = EnvironmentFailure("the store cannot be read", "see who owns it")
WRONG = VerificationError("the log is not what it was", "see docs/evidence.md")
A = ("a",)
Made = Callable[[Path], StoreWatch[Any]]


def quiet(kind: type[Any]) -> Made:
    def made(root: Path) -> StoreWatch[Any]:
        watch: StoreWatch[Any] = kind(
            root, lambda _: None, lambda *_: None, lambda _: None
        )
        return watch

    return made


@pytest.mark.parametrize(
    ("made", "minutes", "outlives"),
    [
        (quiet(PolicyExceptionWatch), 1, False),
        (quiet(PersonRequestWatch), 1, False),
        (lambda root: OwnerWatch(root, OperatorLog("sts")), 5, False),
        (quiet(BaselineWatch), 1, True),
    ],
    ids=["amendments", "requests", "owners", "baselines"],
)
def test_what_gives_falls_in_time_and_what_takes_stands(
    tmp_path: Path, made: Made, minutes: int, outlives: bool
) -> None:
    for error, seconds, stands in (
        (AWAY, minutes * 60 - 1, True),
        (AWAY, minutes * 60 + 1, outlives),
        (WRONG, 0, outlives),
    ):
        watch = made(tmp_path)
        watch._publish_changes({"what": "stood"})
        watch._on_unreadable(error, seconds)
        assert (len(watch._standing) > 0) is stands, (error, seconds)


class Scripted(StoreWatch[tuple[str, ...]]):
    """Sees what it is told to."""

    _nothing = ()
    sees: tuple[str, ...] | AnswerableError = ()
    is_new_store = 0

    def _read_valid(
        self, store: EvidenceStore, now: int, *, is_new_store: bool
    ) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
        self.is_new_store += is_new_store
        if isinstance(self.sees, AnswerableError):
            raise self.sees
        return self.sees, [(each, "odd") for each in self.sees]


def test_each_change_and_each_reason_is_told_once(tmp_path: Path) -> None:
    told: list[object] = []

    async def story() -> None:
        watch = Scripted(
            tmp_path, told.append, lambda *each: told.append(each), told.append
        )
        await watch.refresh()  # there is no store yet
        assert len(told) == 1
        assert watch.why
        EvidenceStore.open(tmp_path, now=0).close()
        told.clear()
        for sees in ((), A, A, AWAY, AWAY, A, AWAY, A, WRONG, A):
            watch.sees = sees
            await watch.refresh()
        await watch.close()
        assert watch.is_new_store == 5  # at the start, and after whatever it was

    asyncio.run(story())
    away = AWAY.message
    assert told == [("a", "odd"), A, away, away, (), WRONG.message, A]
