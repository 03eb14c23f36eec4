"""What is held back is an ask, which its owner answers and nobody else."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.model.decision import DecisionReason
from answerable.model.errors import UsageError, VerificationError
from answerable.presentation.answer_coverage import format_time
from answerable.services.authorization.decision_records import SpooledDecisions
from answerable.services.statements.policy_exceptions import AMENDMENT
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import answer_approval_requests
from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm
from answerable.usecases.authorization.list_approval_requests import (
    list_approval_requests,
)
from answerable.usecases.evidence import ship_spool
from tests.connectors.gateway.spool_files import (
    ACT,
    CALLER,
    DENY,
    T0,
    closed,
    decided,
    opened,
    spelled,
    write,
)
from tests.inventory.fact_builders import DAY, NOW
from tests.usecases.owned_store import (
    AGENT,
    ANA,
    HOUR,
    OTHER,
    A,
    B,
    create_owned_store,
    signer,
)

HOURLY = ExceptionTerm(HOUR)


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only matters when the power fails."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr("os.fdatasync", lambda handle: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which Ana answers for one agent, and Ben for another."""
    return create_owned_store(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture
def owned(made: Path, tmp_path: Path) -> Iterator[EvidenceStore]:
    """A copy of it."""
    shutil.copytree(made, tmp_path / "owned")
    with EvidenceStore.open(tmp_path / "owned", now=NOW) as store:
        yield store


def ask_of(
    store: EvidenceStore, tmp_path: Path, *stories: tuple[DecisionReason, int]
) -> list[str]:
    """Have a gateway hold calls back: pairs of the reason and the number of a record."""
    caller = replace(CALLER, agent=AGENT)
    records = [
        decided(number, replace(DENY, reason=reason), ACT, caller)
        for reason, number in stories
    ]
    spool = tmp_path / "spool"
    write(spool, spelled([opened(), *records, closed(len(records) + 2)]))
    ship_spool.ship_spool(store, spool, now=NOW)
    return [record.id for record in records]


def test_an_ask_is_one_however_often_it_is_tried_and_expires(
    owned: EvidenceStore, tmp_path: Path
) -> None:
    ids = ask_of(
        owned, tmp_path, (DecisionReason.NO_RULE, 2), (DecisionReason.ASKED, 3)
    )
    (ask,) = list_approval_requests(owned, None, now=T0 + HOUR, since=0).items
    assert (ask["id"], ask["count"], ask["state"]) == (ids[1], 2, "open")
    (ask,) = list_approval_requests(owned, None, now=T0 + 2 * DAY, since=0).items
    assert ask["state"] == "expired"
    begin = format_time(T0 + HOUR)
    for more, searched in (
        ({"since": T0 + HOUR}, f"none since {begin}"),
        ({"since": T0, "agent": OTHER}, f"0 of 1 match since {format_time(T0)}"),
        ({"since": T0, "state": "refused"}, f"0 of 1 match since {format_time(T0)}"),
    ):
        none = list_approval_requests(owned, None, now=T0 + HOUR, **more)
        assert (none.items, none.searched) == ([], searched)


def test_only_what_an_owner_may_lift_is_an_ask(
    owned: EvidenceStore, tmp_path: Path
) -> None:
    ids = ask_of(
        owned, tmp_path, (DecisionReason.FORBIDDEN, 2), (DecisionReason.KILLED, 3)
    )
    assert list_approval_requests(owned, None, now=T0 + HOUR, since=0).items == []
    with pytest.raises(UsageError, match="cannot be overridden"):
        answer_approval_requests.sign_exception(
            owned, SpooledDecisions(), ids[0], A, HOURLY, now=T0
        )
    with pytest.raises(UsageError, match="no decision"):
        answer_approval_requests.sign_exception(
            owned, SpooledDecisions(), "f" * 32, A, HOURLY, now=T0
        )


def test_only_the_attested_owner_answers(owned: EvidenceStore, tmp_path: Path) -> None:
    (decision,) = ask_of(owned, tmp_path, (DecisionReason.NO_RULE, 2))
    for key in (B, signer("c")):
        for answer in (
            lambda k: answer_approval_requests.sign_exception(
                owned, SpooledDecisions(), decision, k, HOURLY, now=NOW
            ),
            lambda k: answer_approval_requests.sign_refusal(
                owned, SpooledDecisions(), decision, k, now=NOW
            ),
        ):
            with pytest.raises(VerificationError):
                answer(key)
    assert owned.list_objects(AMENDMENT) == ()


def test_an_answer_is_shown_with_the_ask(owned: EvidenceStore, tmp_path: Path) -> None:
    (decision,) = ask_of(owned, tmp_path, (DecisionReason.NO_RULE, 2))
    now = NOW + HOUR

    def state() -> tuple[object, object]:
        (ask,) = list_approval_requests(owned, None, now=now, since=0).items
        return ask["state"], ask["by"]

    (told,) = answer_approval_requests.sign_refusal(
        owned, SpooledDecisions(), decision, A, now=now
    ).items
    assert (told["state"], told["by"]) == ("refused", [ANA]) == state()
    (told,) = answer_approval_requests.sign_exception(
        owned, SpooledDecisions(), decision, A, HOURLY, now=now
    ).items
    assert (told["state"], told["by"]) == ("allowed", [ANA]) == state()
    # A no takes nothing back: that is what `revoke` is for.
    entries = len(owned.log.entries())
    with pytest.raises(VerificationError, match="allowed meanwhile") as refused:
        answer_approval_requests.sign_refusal(
            owned, SpooledDecisions(), decision, A, now=now
        )
    assert len(owned.log.entries()) == entries
    (ask,) = list_approval_requests(owned, None, now=now, since=0).items
    named = str(ask["amendment"])[:16]
    assert f"answerable asks revoke {named} --key KEY" in refused.value.hint
    answer_approval_requests.sign_revocation(owned, named, A, now=now)
    now += HOUR // 60
    answer_approval_requests.sign_refusal(
        owned, SpooledDecisions(), decision, A, now=now
    )
    assert state()[0] == "refused"
