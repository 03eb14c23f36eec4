"""Whoever signs sees what the agent wants to act with, and who wrote it."""

from dataclasses import replace

import pytest
from msgspec import structs

from answerable.cli.main import main
from answerable.model.behaviour import (
    ArgumentValue,
    CallObservation,
    EntityKind,
    OriginKind,
    ValueOrigin,
)
from answerable.model.decision import DecisionReason
from answerable.model.errors import UsageError
from answerable.model.ids import build_event_id
from answerable.model.spool_record import CallBehaviour
from answerable.services.authorization import approval_requests
from answerable.services.authorization.decision_records import read_spool
from answerable.services.authorization.value_provenance import (
    describe_argument_provenance,
)
from answerable.usecases.authorization import answer_approval_requests
from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm
from answerable.usecases.evidence import ship_spool
from answerable.web.store_cache import StoreCache
from tests.connectors.gateway.spool_files import (
    ACT,
    CALLER,
    DENY,
    NAME,
    closed,
    decided,
    opened,
    spelled,
    write,
)
from tests.usecases.owned_store import AGENT, HOUR, A
from tests.web.conftest import shown
from tests.web.signing.owner_store import LATER, OWNER, record_held_call
from tests.web.signing.test_signing import signed

EVIL = "audit@evil.example"
MAIL = ValueOrigin(OriginKind.EARLIER, "mail/read", field="body", trusted=False)
KNOWN = ValueOrigin(OriginKind.EARLIER, "crm/find", field="email", whole=True)


def value(text: str, *origins: ValueOrigin) -> ArgumentValue:
    return ArgumentValue("to", EntityKind.EMAIL, text, True, True, origins, False)


def wants(
    desk: StoreCache,
    *values: ArgumentValue,
    reason: DecisionReason = DecisionReason.BEHAVIOUR,
) -> str:
    """Have a gateway hold back a call whose agent a baseline watches."""
    seen = CallObservation(
        id="",
        at=LATER,
        tool="files/read_file",
        is_write=True,
        values=values,
        numbers=(("amount", 5_000_000),),
        digest="d",
    )
    act = structs.replace(ACT, acted=CallBehaviour(seen, "", 3600), arguments="ab" * 32)
    caller = replace(CALLER, agent=AGENT)
    record = decided(2, replace(DENY, reason=reason), act, caller)
    key = build_event_id(LATER, "gateway", NAME, b"2").hex()
    record = structs.replace(record, at=LATER, id=key)
    write(desk.spools[0], spelled([opened(), record, closed(3)]))
    return record.id


def test_what_strangers_wrote_is_marked_wherever_it_is_signed(
    desk: StoreCache, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = wants(desk, value(EVIL, MAIL), value("kim@corp.example", KNOWN))
    with desk.open_store() as store:
        waiting = read_spool(desk.spools)
        found = describe_argument_provenance(
            store,
            waiting,
            approval_requests.find_approval_request(store, waiting, decision),
        )
    assert found.is_doubtful
    (line,) = [each for each in found.lines if EVIL in each]
    assert line.startswith(f'"to": "{EVIL}", from ')
    assert line.endswith("WRITTEN BY STRANGERS")
    (known,) = [each for each in found.lines if "kim@" in each]
    assert "STRANGERS" not in known
    assert '"amount": 5' in found.lines
    for path, said in (("/ask", {}), ("/sign", {"act": "allow"})):
        page = shown(desk, OWNER, path, id=decision, **said)
        assert EVIL in page
        assert "WRITTEN BY STRANGERS" in page
    page = shown(desk, OWNER, "/ask", id=decision)
    assert 'value="always"' not in page
    assert 'value="any"' not in page
    assert 'value="1h"' in page


@pytest.mark.parametrize("said", [value(EVIL, MAIL), value(EVIL), value("")])
def test_what_strangers_may_have_written_is_signed_as_it_is_and_for_a_while(
    desk: StoreCache, said: ArgumentValue
) -> None:
    decision = wants(desk, said)
    for term in (ExceptionTerm(0), ExceptionTerm(HOUR, any_arguments=True)):
        with (
            desk.open_store() as store,
            pytest.raises(UsageError, match="untrusted text"),
        ):
            answer_approval_requests.sign_exception(
                store, read_spool(desk.spools), decision, A, term, now=desk.now
            )
    with desk.open_store() as store:
        allowed = answer_approval_requests.sign_exception(
            store,
            read_spool(desk.spools),
            decision,
            A,
            ExceptionTerm(HOUR),
            now=desk.now,
        )
    assert allowed.items[0]["state"] == "allowed"


def test_what_is_not_kept_is_said_to_be_not_kept(desk: StoreCache) -> None:
    decision = wants(desk, value(""))
    page = shown(desk, OWNER, "/sign", act="allow", id=decision)
    assert "a value of type email, not stored" in page


def test_an_answer_is_shown_before_another_is_given(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    page = shown(desk, OWNER, "/ask", id=decision)
    assert "Answered" not in page
    signed(desk, act="refuse", id=decision)
    assert "Decided: refused by" in shown(desk, OWNER, "/ask", id=decision)
    page = shown(desk, OWNER, "/sign", act="allow", id=decision)
    assert "Already decided: refused by" in page


def test_the_command_line_shows_the_same(
    desk: StoreCache, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = wants(desk, value(EVIL, MAIL))
    folder = str(desk.root)
    with desk.open_store() as store:
        ship_spool.ship_spool(store, desk.spools[0], now=desk.now)
    assert main(["--store", folder, "asks", "show", decision]) in (0, 3)
    assert f'"to": "{EVIL}", from ' in (err := capsys.readouterr().err)
    assert "WRITTEN BY STRANGERS" in err
