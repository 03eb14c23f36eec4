"""One event, one decision, its proof: told whole to whoever may hear it, and as text."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import build_event_id
from answerable.model.provenance import WrittenBy
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ship_spool
from answerable.usecases.evidence.verify_and_prove import verify_evidence
from answerable.web.routing import FileDownload, Forbidden, Redirect
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.connectors.gateway.spool_files import (
    DENY,
    T0,
    closed,
    decided,
    ended,
    opened,
    spelled,
    write,
)
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import HOSTILE, markup_faults

OTHER = "fedcba9876543210"
AGENT = "agent:declared/invoices"
STORED = [opened(), decided(2), decided(3, DENY), ended(4, 2), closed(5)]
WAITING = [opened(name=OTHER), decided(2, DENY, name=OTHER)]
WENT_ON, HELD = STORED[1].id, STORED[2].id
NOT_SHIPPED = WAITING[1].id


def logged(number: int, **said: object) -> AuditEvent:
    at = T0 + number * 10**9
    values = {
        "event_id": build_event_id(at, "cloudtrail", "1", str(number).encode()),
        "event_time": at,
        "source": "cloudtrail",
        "scope": "111122223333",
        "written_by": WrittenBy.PLATFORM,
        "raw_sha256": bytes([number]) * 32,
        "action": "s3:GetObject",
        "outcome": EventOutcome.SUCCESS,
        "identity": "arn:aws:iam::111122223333:role/reports",
        "credential": "cred:aws/ASIAEXAMPLEEXAMPLE1",
        "resource": "arn:aws:s3:::bucket/a",
        **said,
    }
    return AuditEvent(**values)


PLAIN, BESIDE = logged(10), logged(11, action="s3:PutObject")
SAID = [
    logged(
        20 + n,
        action=text,
        identity=text,
        session=text,
        resource=text,
        resources=(text,),
        source_ip=text,
        native_id=text,
        scope=text,
        person=f"person:{text}",
        run=text,
        facts=(("region", text), ("self:user_agent", text)),
    )
    for n, text in enumerate(HOSTILE)
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCache]:
    root = tmp_path_factory.mktemp("deeds")
    with EvidenceStore.open(root / "store", now=T0) as store:
        write(root / "shipped", spelled(STORED))
        ship_spool(store, root / "shipped", now=T0)
        store.append([PLAIN, BESIDE, *SAID], T0)
        store.seal(T0)
    write(root / "spool", spelled(WAITING, OTHER), OTHER)
    made = StoreCache(root / "store", None, (root / "spool",))
    yield made
    made.close()


@pytest.fixture
def owner() -> Visitor:
    return visitor(WebRole.OWNER, owns=(AGENT,))


@pytest.fixture
def stranger() -> Visitor:
    return visitor(WebRole.OWNER, owns=("agent:declared/another",))


def test_an_event_is_told_with_its_chain_its_proof_and_what_happened_beside_it(
    desk, admin
) -> None:
    page = shown(desk, admin, "/event", id=PLAIN.event_id.hex())
    assert "Responsible people" in page
    assert "or an owner of the agent" in page
    assert "With the same credential" in page
    assert BESIDE.event_id.hex() in page
    assert "hashes to the signed head" in page
    assert PLAIN.raw_sha256.hex() in page


def test_what_the_caller_said_of_itself_is_told_apart(desk, admin) -> None:
    page = shown(desk, admin, "/event", id=SAID[-1].event_id.hex())
    assert "Shown, never trusted" in page


@pytest.mark.parametrize("event", SAID, ids=lambda e: e.event_id.hex()[-4:])
@pytest.mark.parametrize("path", ["/event", "/proof"])
def test_nothing_that_was_logged_is_more_than_text(desk, admin, event, path) -> None:
    assert markup_faults(shown(desk, admin, path, id=event.event_id.hex())) == []


def test_nothing_that_was_logged_is_more_than_text_in_rows(desk, admin) -> None:
    assert markup_faults(shown(desk, admin, "/trace")) == []
    for text in HOSTILE:
        said = text[:500].replace('"', "'")
        assert markup_faults(shown(desk, admin, "/trace", q=f'"{said}"')) == []


@pytest.mark.parametrize(
    ("key", "where"),
    [(HELD, "in the store"), (NOT_SHIPPED, "not shipped to the store yet")],
)
def test_a_decision_is_told_whole_shipped_or_not(desk, admin, key, where) -> None:
    page = shown(desk, admin, "/decision", id=key)
    assert "held back, mode" in page
    assert "no rule of the agent allows it" in page
    assert where in page
    assert "Responsible people" in page
    assert "ana@corp.example" in page
    assert f"answerable asks allow {key} --key KEY" in page
    assert "<svg" in page
    assert markup_faults(page) == []


def test_what_went_on_needs_no_amendment(desk, admin) -> None:
    page = shown(desk, admin, "/decision", id=WENT_ON)
    assert "forwarded, mode" in page
    assert "Exception that would allow it" not in page


def test_an_investigator_may_write_the_beginning_of_an_id(desk, admin) -> None:
    assert HELD in shown(desk, admin, "/decision", id=HELD[:20])
    with pytest.raises(UsageError):
        answer(desk, admin, "/decision", id="abcdef0123")


def test_an_owner_is_told_of_their_own_agents_alone(desk, owner, stranger) -> None:
    for key in (HELD, WENT_ON, NOT_SHIPPED):
        assert key in shown(desk, owner, "/decision", id=key)
        with pytest.raises(Forbidden):
            answer(desk, stranger, "/decision", id=key)
    for visit in (owner, stranger):
        for path in ("/event", "/proof", "/proof/bundle"):
            with pytest.raises(Forbidden):
                answer(desk, visit, path, id=PLAIN.event_id.hex())
        with pytest.raises(Forbidden):  # the beginning of an id would tell of others
            answer(desk, visit, "/decision", id=HELD[:20])
        with pytest.raises(Forbidden):
            answer(desk, visit, "/decision", id="ab" * 16)


def test_a_near_miss_names_nothing_that_may_not_be_seen(desk, admin, owner) -> None:
    asked = f"credential:{PLAIN.credential[:-1]}x"
    assert PLAIN.credential[9:] in shown(desk, admin, "/trace", q=asked)
    page = shown(desk, owner, "/trace", q=asked)
    assert PLAIN.credential[9:] not in page


def test_what_is_not_there_is_told_as_what_may_not_be_seen(desk, admin) -> None:
    for path in ("/event", "/proof", "/proof/bundle"):
        for key in ("ab" * 16, "", "nothing", "../etc"):
            with pytest.raises(Forbidden):
                answer(desk, admin, path, id=key)


def test_a_record_is_proven_and_its_bundle_holds_offline(desk, admin) -> None:
    key = PLAIN.event_id.hex()
    page = shown(desk, admin, "/proof", id=key)
    assert "--key log.pub" in page
    bundle = answer(desk, admin, "/proof/bundle", id=key)
    public = answer(desk, admin, "/evidence/key")
    assert isinstance(bundle, FileDownload)
    checked = verify_evidence(bundle.body, key=public.body.decode().strip())
    assert not checked.failed
    changed = bundle.body.replace(b"s3:GetObject", b"s3:PutObject")
    assert verify_evidence(changed, key=public.body.decode().strip()).failed
    assert json.loads(bundle.body)


def test_one_record_of_several_that_may_not_be_seen_hides_the_proof_of_all(
    tmp_path: Path,
) -> None:
    mine = logged(1, source="gateway", written_by=WrittenBy.MEDIATOR, agent=AGENT)
    theirs = replace(mine, agent="agent:declared/b", raw_sha256=b"\x09" * 32)
    with EvidenceStore.open(tmp_path / "store", now=T0) as store:
        store.append([mine], T0)
        store.append([theirs], T0)
        store.seal(T0)
    made = StoreCache(tmp_path / "store")
    visit = visitor(WebRole.OWNER, owns=(AGENT,))
    key = mine.event_id.hex()
    assert "<svg" in shown(made, visit, "/event", id=key)
    assert "agent:declared/b" not in shown(made, visit, "/event", id=key)
    for path in ("/proof", "/proof/bundle"):
        with pytest.raises(Forbidden):
            answer(made, visit, path, id=key)
    made.close()


def test_the_head_of_the_log_is_shown_and_given_byte_for_byte(desk, admin) -> None:
    page = shown(desk, admin, "/evidence")
    with desk.open_store() as store:
        note = store.log.checkpoint()
    assert answer(desk, admin, "/evidence/checkpoint").body == note
    assert "Check every record" in page
    assert "not checked since the server started" in page


def test_an_owner_sees_the_head_and_not_what_the_log_holds(desk, owner) -> None:
    page = shown(desk, owner, "/evidence")
    assert "Signed note" in page
    assert "Segments" not in page
    assert "Check every record" not in page


def test_every_record_is_checked_in_a_process_of_its_own(desk, admin) -> None:
    from answerable.web.pages.evidence import get_log_verifier

    checks = get_log_verifier(desk)
    moved = answer(desk, admin, "/evidence/verify", "POST")
    assert isinstance(moved, Redirect)
    again = answer(desk, admin, "/evidence/verify", "POST")
    assert again.confirmation == "A check is already running."
    assert 'http-equiv="refresh"' in shown(desk, admin, "/evidence")
    checks.wait()
    assert checks.last is not None
    assert checks.last.holds, checks.last
    page = shown(desk, admin, "/evidence")
    assert ">holds</span>" in page
    assert 'http-equiv="refresh"' not in page


def test_a_changed_record_is_named(tmp_path: Path, admin) -> None:
    with EvidenceStore.open(tmp_path / "store", now=T0) as store:
        store.append([PLAIN, BESIDE], T0)
        store.seal(T0)
    (leaves,) = (tmp_path / "store").rglob("*.leaves")
    leaves.write_bytes(bytes(64))
    made = StoreCache(tmp_path / "store")
    from answerable.web.pages.evidence import get_log_verifier

    answer(made, admin, "/evidence/verify", "POST")
    get_log_verifier(made).wait()
    page = shown(made, admin, "/evidence")
    assert "does not hold" in page
    assert "segments" in page
    made.close()
