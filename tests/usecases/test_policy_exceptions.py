"""What is signed about an ask stands while its signer answers for it, and no longer."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from answerable.authorization.exception_validity import index_exceptions
from answerable.authorization.policy_exceptions import apply_exceptions
from answerable.evidence import dsse, signed_statements
from answerable.evidence import policy_exceptions as room
from answerable.model.approval_request import ApprovalScope
from answerable.model.decision import (
    AuthorizationRequest,
    DecisionEffect,
    DecisionReason,
    TargetKind,
)
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_key import OwnerStatement, StatementType
from answerable.model.policy_exception import (
    ANY_ARGUMENTS,
    NO_ARGUMENTS,
    PolicyExceptionInvalidity,
    SignatureContext,
)
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import LocalSigner
from answerable.services.statements.policy_exceptions import (
    AMENDMENT,
    PolicyExceptionReader,
    read_policy_exceptions,
)
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import answer_approvals, list_approval_requests
from answerable.usecases.authorization.answer_approvals import ExceptionTerm
from tests.connectors.gateway.spool_files import DENY
from tests.inventory.fact_builders import DAY, NOW
from tests.usecases.owned_store import AGENT, HOUR, OTHER, create_owned_store
from tests.usecases.test_attested_owners import (
    ANA,
    BEN,
    A,
    B,
    attest,
    enroll,
    scan,
    signer,
)

WANTED = ApprovalScope(AGENT, "files", TargetKind.TOOL, "write", "ab" * 32)
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


def act(wanted: ApprovalScope = WANTED, **more: str) -> dict[str, str]:
    claims = room.call_claims(wanted, decision="d" * 32, any_arguments=False)
    return {"until": str(NOW + HOUR), **claims, **more}


def said(
    store: EvidenceStore,
    claims: Mapping[str, str] | None = None,
    kind: StatementType = StatementType.AMENDMENT,
    agent: str = AGENT,
    person: PersonId = ANA,
    key: LocalSigner = A,
    at: int = NOW,
    here: str = "",
) -> OwnerStatement:
    signing = SignatureContext(person, here or owner_keys.store_identity(store), at)
    return room.build_statement(kind, agent, claims or act(), signing, key.id)


def signed(statement: OwnerStatement, key: LocalSigner = A) -> bytes:
    payload = signed_statements.encode_payload(statement)
    return dsse.encode_envelope(
        dsse.sign_envelope(signed_statements.PAYLOAD_TYPE, payload, key.id, key.seed)
    )


def put(store: EvidenceStore, envelope: bytes, at: int = NOW) -> None:
    store.put_object(AMENDMENT, envelope, at)


def stands(store: EvidenceStore, now: int = NOW + 1) -> bool:
    return bool(read_policy_exceptions(store, now).active)


def fallen(
    store: EvidenceStore, now: int = NOW + 1
) -> PolicyExceptionInvalidity | None:
    (judged,) = read_policy_exceptions(store, now).judged
    return judged.fallen


def test_what_the_owner_signs_stands_until_it_ends(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned)))
    assert stands(owned)
    assert stands(owned, NOW + HOUR - 1)
    assert fallen(owned, NOW + HOUR) is PolicyExceptionInvalidity.ENDED


def test_one_without_an_end_ends_with_the_attestation(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned, act(until="always"))))
    assert stands(owned, NOW + 179 * DAY)
    assert fallen(owned, NOW + 180 * DAY) is PolicyExceptionInvalidity.NOT_OWNER


def test_it_falls_with_the_owner_and_with_whoever_left(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned, act(until="always"))))
    attest(owned, B, BEN, AGENT, at=NOW + HOUR)
    assert fallen(owned, NOW + HOUR) is PolicyExceptionInvalidity.NOT_OWNER
    attest(owned, A, ANA, AGENT, at=NOW + 2 * HOUR)
    assert stands(owned, NOW + 2 * HOUR)
    scan(owned, "ana@corp.example", at=NOW + 3 * HOUR)
    assert fallen(owned, NOW + 3 * HOUR) is PolicyExceptionInvalidity.NOT_OWNER


Made = Callable[[EvidenceStore], bytes]
TAMPERED: dict[str, tuple[Made, str]] = {
    "another's signature": (lambda s: signed(said(s), B), "has not signed"),
    "for another store": (
        lambda s: signed(said(s, here="answerable.local/00+00+AA")),
        "for another store",
    ),
    "by somebody who is not the owner": (
        lambda s: signed(said(s, person=BEN, key=B), B),
        "signer-not-the-owner",
    ),
    "in the name of the owner": (lambda s: signed(said(s, key=B), B), "expected one"),
    "by a key that nobody enrolled": (
        lambda s: signed(said(s, key=signer("c")), signer("c")),
        "not enrolled",
    ),
    "for an agent of another owner": (
        lambda s: signed(said(s, agent=OTHER)),
        "signer-not-the-owner",
    ),
    "without an end that is one": (
        lambda s: signed(said(s, act(until="soon"))),
        "end in time",
    ),
    "for longer than a year": (
        lambda s: signed(said(s, act(until=str(NOW + 400 * DAY)))),
        "end in time",
    ),
    "for what has no amendment": (
        lambda s: signed(said(s, act(target="session"))),
        "can be amended",
    ),
    "for arguments that are no digest": (
        lambda s: signed(said(s, act(arguments=""))),
        "can be amended",
    ),
    "with a claim more": (lambda s: signed(said(s, act(also="x"))), "no amendment"),
    "as another kind of statement": (
        lambda s: signed(said(s, kind=StatementType.ATTESTATION)),
        "no amendment",
    ),
    "signed tomorrow": (
        lambda s: signed(said(s, act(until=str(NOW + 2 * DAY)), at=NOW + DAY)),
        "in the future",
    ),
    "signed two days ago": (
        lambda s: signed(said(s, at=NOW - 2 * DAY)),
        "was not valid yet",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_not_signed_so_does_not_stand(owned: EvidenceStore, how: str) -> None:
    make, why = TAMPERED[how]
    put(owned, make(owned))
    found = read_policy_exceptions(owned, NOW + 1)
    assert found.active == ()
    told = [each.why for each in found.unheld]
    if told:
        listed = list_approval_requests.list_policy_exceptions(owned, now=NOW + 1)
        assert (listed.items, listed.searched.startswith("1 signed; ")) == ([], True)
        assert why in listed.searched
    told += [str(each.fallen) for each in found.judged]
    assert [why in each for each in told] == [True], told


def test_an_envelope_that_was_changed_after_it_was_signed_is_told(
    owned: EvidenceStore,
) -> None:
    envelope = dsse.decode_envelope(signed(said(owned)))
    wider = envelope.payload.replace(b'"arguments":"' + b"ab" * 32, b'"arguments":"any')
    assert wider != envelope.payload
    put(owned, dsse.encode_envelope(replace(envelope, payload=wider)))
    found = read_policy_exceptions(owned, NOW + 1)
    assert found.active == ()
    (unheld,) = found.unheld
    assert "has not signed" in unheld.why


def test_a_revoked_key_takes_its_amendments_along(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned)))
    watched = PolicyExceptionReader(owned)
    assert watched.read(NOW + 1).active
    owner_keys.revoke_key(owned, A.id, since=NOW - DAY, uid=0, now=NOW + 2)
    assert not watched.read(NOW + 3).active


def test_what_was_taken_back_stays_so_however_often_it_is_recorded(
    owned: EvidenceStore,
) -> None:
    put(owned, signed(said(owned)))
    (judged,) = read_policy_exceptions(owned, NOW + 1).judged
    answer_approvals.sign_revocation(owned, judged.amendment.id[:12], A, now=NOW + 1)
    put(owned, signed(said(owned)), NOW + 2)
    assert fallen(owned, NOW + 3) is PolicyExceptionInvalidity.REVOKED


def test_nobody_else_takes_an_amendment_back(owned: EvidenceStore) -> None:
    put(owned, signed(said(owned)))
    (judged,) = read_policy_exceptions(owned, NOW + 1).judged
    with pytest.raises(VerificationError, match="neither signed"):
        answer_approvals.sign_revocation(owned, judged.amendment.id, B, now=NOW + 1)
    forged = {"amendment": judged.amendment.id}
    kind = StatementType.AMENDMENT_REVOKED
    put(owned, signed(said(owned, forged, kind, person=BEN, key=B), B))
    assert stands(owned)


# Break-glass.


def broken(store: EvidenceStore, first: LocalSigner = A, life: int = HOUR) -> str:
    wanted = replace(WANTED, arguments="")
    term = ExceptionTerm(life, any_arguments=True, code="INC-7")
    document = answer_approvals.start_break_glass(store, wanted, first, term, now=NOW)
    return str(document.items[0]["id"])


def test_two_persons_break_the_glass_and_one_does_not(owned: EvidenceStore) -> None:
    start = broken(owned)
    assert fallen(owned) is PolicyExceptionInvalidity.UNCONFIRMED
    with pytest.raises(VerificationError, match="first half"):
        answer_approvals.confirm_break_glass(owned, start, A, now=NOW + 1)
    answer_approvals.confirm_break_glass(owned, start, B, now=NOW + 1)
    (amendment,) = read_policy_exceptions(owned, NOW + 2).active
    assert amendment.persons == (ANA, BEN)
    assert amendment.arguments == ""
    assert fallen(owned, NOW + HOUR) is PolicyExceptionInvalidity.ENDED


@pytest.mark.parametrize("is_recorded_before", [True, False])
def test_the_first_key_has_to_be_in_force_when_the_second_confirms(
    owned: EvidenceStore, is_recorded_before: bool
) -> None:
    start = broken(owned)
    if not is_recorded_before:
        answer_approvals.confirm_break_glass(owned, start, B, now=NOW + 1)
    owner_keys.revoke_key(owned, A.id, since=NOW + 2, uid=0, now=NOW + 2)
    if not is_recorded_before:
        # What was in force by then goes on: `asks revoke` ends it.
        assert fallen(owned, NOW + 3) is None
        return
    with pytest.raises(VerificationError, match="not in force any more"):
        answer_approvals.confirm_break_glass(owned, start, B, now=NOW + 3)
    forged = said(
        owned,
        {"start": start},
        StatementType.BREAK_GLASS_CONFIRMED,
        person=BEN,
        key=B,
        at=NOW + 3,
    )
    put(owned, signed(forged, B), NOW + 3)
    assert fallen(owned, NOW + 4) is PolicyExceptionInvalidity.KEY_GONE


def test_one_person_with_two_keys_is_one_person(owned: EvidenceStore) -> None:
    other = signer("c")
    enroll(owned, other, ANA)
    start = broken(owned)
    with pytest.raises(VerificationError, match="another person"):
        answer_approvals.confirm_break_glass(owned, start, other, now=NOW + 1)
    forged = said(
        owned,
        {"start": start},
        StatementType.BREAK_GLASS_CONFIRMED,
        key=other,
    )
    put(owned, signed(forged, other))
    assert fallen(owned) is PolicyExceptionInvalidity.SAME_PERSON


def test_whoever_answers_for_nothing_is_no_second_person(owned: EvidenceStore) -> None:
    eve, key = PersonId("person:eve@corp.example"), signer("e")
    enroll(owned, key, eve)
    start = broken(owned)
    with pytest.raises(VerificationError, match="owner of nothing"):
        answer_approvals.confirm_break_glass(owned, start, key, now=NOW + 1)
    kind = StatementType.BREAK_GLASS_CONFIRMED
    put(owned, signed(said(owned, {"start": start}, kind, person=eve, key=key), key))
    assert fallen(owned) is PolicyExceptionInvalidity.NOT_ATTESTED


def test_one_of_the_two_answers_for_the_agent(owned: EvidenceStore) -> None:
    eve, key = PersonId("person:eve@corp.example"), signer("e")
    enroll(owned, key, eve)
    attest(owned, key, eve, "agent:declared/three")
    start = broken(owned, key)
    with pytest.raises(VerificationError, match="its attested owner among the two"):
        answer_approvals.confirm_break_glass(owned, start, B, now=NOW + 1)
    answer_approvals.confirm_break_glass(owned, start, A, now=NOW + 1)
    assert stands(owned)
    attest(owned, B, BEN, AGENT, at=NOW + 2)
    assert not stands(owned, NOW + 3)


def test_a_confirmation_is_of_one_start_alone(owned: EvidenceStore) -> None:
    """Nothing that was confirmed is hung below another start."""
    first = broken(owned)
    answer_approvals.confirm_break_glass(owned, first, B, now=NOW + 1)
    later = replace(WANTED, name="delete", arguments="")
    term = ExceptionTerm(HOUR, any_arguments=True)
    answer_approvals.start_break_glass(owned, later, A, term, now=NOW + 2)
    (amendment,) = read_policy_exceptions(owned, NOW + 3).active
    assert amendment.name == "write"
    other = answer_approvals.start_break_glass(
        owned, replace(later, agent=OTHER), A, term, now=NOW + 2
    ).items[0]["id"]
    kind = StatementType.BREAK_GLASS_CONFIRMED
    wrong = said(owned, {"start": str(other)}, kind, agent=AGENT, person=BEN, key=B)
    put(owned, signed(wrong, B))
    states = {
        j.amendment.id: j.fallen for j in read_policy_exceptions(owned, NOW + 3).judged
    }
    assert states[str(other)] is PolicyExceptionInvalidity.OTHER_AGENT


def test_a_break_glass_is_short_and_is_confirmed_soon(owned: EvidenceStore) -> None:
    with pytest.raises(VerificationError, match="end in time"):
        broken(owned, life=5 * HOUR)
    start = broken(owned, life=4 * HOUR)
    kind = StatementType.BREAK_GLASS_CONFIRMED
    late = said(owned, {"start": start}, kind, person=BEN, key=B, at=NOW + 2 * HOUR)
    put(owned, signed(late, B), NOW + 2 * HOUR)
    assert fallen(owned, NOW + 2 * HOUR) is PolicyExceptionInvalidity.LATE
    with pytest.raises(UsageError, match="waits for nobody"):
        answer_approvals.confirm_break_glass(owned, start, B, now=NOW + 2 * HOUR)


# What it does to decisions.

REQUEST = AuthorizationRequest(
    AGENT,
    True,
    "files",
    "tools/call",
    TargetKind.TOOL,
    "write",
    "r",
    "p",
    arguments=b"{}",
)
_DIGEST = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of {}


@pytest.mark.parametrize("reason", DecisionReason)
def test_an_owner_lifts_what_is_an_owners_and_two_persons_a_little_more(
    owned: EvidenceStore, reason: DecisionReason
) -> None:
    put(owned, signed(said(owned, act(arguments=_DIGEST))))
    by_owner = {DecisionReason.NO_RULE, DecisionReason.ASKED, DecisionReason.BEHAVIOUR}
    decision = replace(DENY, reason=reason)
    before = index_exceptions(read_policy_exceptions(owned, NOW + 1).active)
    lifted = apply_exceptions(before, REQUEST, decision)
    assert (lifted.effect is DecisionEffect.ALLOW) == (reason in by_owner)
    answer_approvals.confirm_break_glass(owned, broken(owned), B, now=NOW + 1)
    after = index_exceptions(read_policy_exceptions(owned, NOW + 2).active)
    lifted = apply_exceptions(after, REQUEST, decision)
    by_two = by_owner | {DecisionReason.FORBIDDEN, DecisionReason.PARENT}
    assert (lifted.effect is DecisionEffect.ALLOW) == (reason in by_two)


def test_no_arguments_are_not_any_arguments(owned: EvidenceStore) -> None:
    none = replace(WANTED, arguments="")
    put(owned, signed(said(owned, act(none))))
    in_force = index_exceptions(read_policy_exceptions(owned, NOW + 1).active)
    for arguments, passes in ((b"", True), (b"{}", False), (b'{"a":1}', False)):
        asked = msgspec.structs.replace(REQUEST, arguments=arguments)
        assert apply_exceptions(in_force, asked, DENY).passes is passes
    assert act(none)["arguments"] == NO_ARGUMENTS != ANY_ARGUMENTS
