"""What is signed elsewhere is recorded as if it were signed here, and nothing else is."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.evidence import dsse, signed_statements
from answerable.model.decision import DecisionReason
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError, VerificationError
from answerable.model.owner_signing_key import MAX_CLOCK_SKEW, OwnerStatement
from answerable.model.provenance import WrittenBy
from answerable.services.authorization.decision_records import SpooledDecisions
from answerable.services.inventory import snapshots
from answerable.services.statements import key_enrolment, owner_keys
from answerable.services.statements.key_enrolment import KeyAuthority
from answerable.services.statements.owner_keys import (
    LocalSigner,
    StatementSigner,
)
from answerable.services.statements.policy_exceptions import AMENDMENT
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import answer_approval_requests
from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm
from answerable.usecases.authorization.list_approval_requests import (
    list_approval_requests,
)
from answerable.usecases.evidence import remote_signing
from answerable.usecases.evidence.enroll_remote_key import (
    POSSESSION,
    build_possession_payload,
)
from answerable.usecases.evidence.enroll_remote_key import (
    enroll_remote_key as enroll_there,
)
from answerable.usecases.evidence.remote_signing import (
    SIGNING_WINDOW,
    prepare_statement,
    submit_statement,
)
from answerable.usecases.inventory import ownership
from tests.inventory.fact_builders import NOW
from tests.usecases.owned_store import (
    AGENT,
    ANA,
    BEN,
    HOUR,
    OTHER,
    A,
    B,
    create_owned_store,
    enroll,
    signer,
)
from tests.usecases.test_approval_requests import ask_of

Act = Callable[[StatementSigner], Document]
MINUTE = HOUR // 60
LATER = NOW + HOUR


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only matters when the power fails."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr("os.fdatasync", lambda handle: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_owned_store(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture
def owned(made: Path, tmp_path: Path) -> Iterator[EvidenceStore]:
    shutil.copytree(made, tmp_path / "owned")
    with EvidenceStore.open(tmp_path / "owned", now=NOW) as store:
        yield store


HOURLY = ExceptionTerm(HOUR)


def allowing(store: EvidenceStore, decision: str, now: int) -> Act:
    return lambda who: answer_approval_requests.sign_exception(
        store, SpooledDecisions(), decision, who, HOURLY, now=now
    )


def signed(said: OwnerStatement, key: LocalSigner = A) -> bytes:
    """Sign as a browser does: it has the bytes, and knows nothing else."""
    return dsse.encode_envelope(
        dsse.sign_envelope(
            signed_statements.PAYLOAD_TYPE,
            signed_statements.encode_payload(said),
            key.id,
            key.seed,
        )
    )


def asked(store: EvidenceStore, tmp_path: Path) -> str:
    (decision,) = ask_of(store, tmp_path, (DecisionReason.NO_RULE, 2))
    return decision


def test_what_was_prepared_and_signed_elsewhere_stands(
    owned: EvidenceStore, tmp_path: Path
) -> None:
    decision = asked(owned, tmp_path)
    said = prepare_statement(allowing(owned, decision, LATER), A.id)
    assert owned.list_objects(AMENDMENT) == ()
    now = LATER + 5 * MINUTE
    told = submit_statement(owned, allowing(owned, decision, now), signed(said), now)
    assert told.items[0]["state"] == "allowed"
    # It ends when its person was shown that it would.
    assert said.get_statement_claim("until") == str(LATER + HOUR)
    (ask,) = list_approval_requests(owned, None, now=now, since=0).items
    assert (ask["state"], ask["by"]) == ("allowed", [ANA])


def test_an_agent_that_tries_again_changes_nothing_of_what_is_signed(
    owned: EvidenceStore, tmp_path: Path
) -> None:
    ids = ask_of(
        owned, tmp_path, (DecisionReason.NO_RULE, 2), (DecisionReason.NO_RULE, 3)
    )
    first = prepare_statement(allowing(owned, ids[0], LATER), A.id)
    assert first.get_statement_claim("decision") == ids[0]
    assert submit_statement(owned, allowing(owned, ids[0], LATER), signed(first), LATER)


@pytest.mark.parametrize("moved", [-1, 1])
def test_it_is_signed_within_minutes(
    owned: EvidenceStore, tmp_path: Path, moved: int
) -> None:
    decision = asked(owned, tmp_path)
    said = prepare_statement(allowing(owned, decision, LATER), A.id)
    edge = SIGNING_WINDOW if moved > 0 else MAX_CLOCK_SKEW
    now = LATER + moved * (edge + 1)
    with pytest.raises(VerificationError, match="within the last 10 minutes"):
        submit_statement(owned, allowing(owned, decision, now), signed(said), now)
    assert owned.list_objects(AMENDMENT) == ()
    now = LATER + moved * edge
    assert submit_statement(owned, allowing(owned, decision, now), signed(said), now)


def _spelled(*claims: tuple[str, str]) -> Callable[[OwnerStatement], OwnerStatement]:
    def change(said: OwnerStatement) -> OwnerStatement:
        kept = dict(said.claims) | dict(claims)
        return replace(said, claims=tuple(sorted(kept.items())))

    return change


CHANGES: dict[str, Callable[[OwnerStatement], OwnerStatement]] = {
    "until": _spelled(("until", str(LATER + 2 * HOUR))),
    "always": _spelled(("until", "always")),
    "arguments": _spelled(("arguments", "any")),
    "name": _spelled(("name", "delete")),
    "server": _spelled(("server", "another")),
    "person": _spelled(("person", BEN)),
    "more": _spelled(("more", "said")),
    "subject": lambda said: replace(said, subject=OTHER),
    "store": lambda said: replace(said, store="another+00000000+AAAA"),
    "type": lambda said: replace(said, type=said.type.AMENDMENT_REFUSED),
    "signed_at": lambda said: replace(said, signed_at=said.signed_at + 1),
}


def test_another_statement_than_the_one_shown_is_refused(
    owned: EvidenceStore, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    shown = prepare_statement(act, A.id)
    for name, change in CHANGES.items():
        with (
            subtests.test(name),
            pytest.raises(VerificationError, match="differs from the one to record"),
        ):
            submit_statement(owned, act, signed(change(shown)), LATER)
    assert owned.list_objects(AMENDMENT) == ()


def test_only_the_owner_with_a_key_that_counts_signs(
    owned: EvidenceStore, tmp_path: Path
) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    said = prepare_statement(act, A.id)
    # Somebody else, with their own name in it or with Ana's.
    for theirs in (replace(said, key=B.id), said):
        with pytest.raises(VerificationError):
            submit_statement(owned, act, signed(theirs, B), LATER)
    with pytest.raises(VerificationError, match="expected the attested owner"):
        prepare_statement(act, B.id)
    with pytest.raises(VerificationError, match="not enrolled"):
        prepare_statement(act, signer("c").id)
    key_enrolment.revoke_owner_key(owned, A.id, since=None, uid=1, now=LATER)
    with pytest.raises(VerificationError, match="revoked"):
        submit_statement(
            owned, allowing(owned, decision, LATER + 1), signed(said), LATER + 1
        )
    assert owned.list_objects(AMENDMENT) == ()


def test_a_statement_is_recorded_once_however_it_is_wrapped(
    owned: EvidenceStore, tmp_path: Path
) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    envelope = signed(prepare_statement(act, A.id))
    submit_statement(owned, act, envelope, LATER)
    parts = json.loads(envelope)
    parts["payload"] = (
        base64.urlsafe_b64encode(base64.b64decode(parts["payload"]))
    ).decode()
    wrapped = json.dumps({**parts, "more": 1}, indent=1).encode()
    for again in (envelope, wrapped):
        with pytest.raises(VerificationError, match="already recorded"):
            submit_statement(owned, act, again, LATER)
    assert len(owned.list_objects(AMENDMENT)) == 1


def test_what_else_was_wrapped_is_not_kept(
    owned: EvidenceStore, tmp_path: Path
) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    parts = json.loads(signed(prepare_statement(act, A.id)))
    parts["signatures"].append({"keyid": "smuggled", "sig": "AAAA"})
    submit_statement(
        owned, act, json.dumps({**parts, "note": "smuggled"}).encode(), LATER
    )
    (kept,) = owned.list_objects(AMENDMENT)
    assert b"smuggled" not in owned.get_object(kept.digest)


def test_nothing_else_of_a_statement_is_believed(
    owned: EvidenceStore, tmp_path: Path
) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    for envelope in (b"", b"{}", b"\xff", b'{"payload":1}', b"[" * 10_000):
        with pytest.raises(VerificationError):
            submit_statement(owned, act, envelope, LATER)


def test_an_attestation_is_signed_elsewhere_too(owned: EvidenceStore) -> None:
    def act(who: StatementSigner) -> Document:
        inventory = snapshots.load_inventory(owned)
        return ownership.attest_signed(owned, inventory, AGENT, ANA, who, now=LATER)

    said = prepare_statement(act, A.id)
    (told,) = submit_statement(owned, act, signed(said), LATER).items
    assert (told["state"], told["person"]) == ("attested", ANA)
    with pytest.raises(VerificationError, match="already recorded"):
        submit_statement(owned, act, signed(said), LATER)
    # Another one stands by now: what was shown is not what would be recorded.
    with pytest.raises(VerificationError, match="previous"):
        submit_statement(owned, act, signed(replace(said, signed_at=LATER - 1)), LATER)


def test_an_act_without_a_signature_is_a_fault(owned: EvidenceStore) -> None:
    with pytest.raises(RuntimeError):
        prepare_statement(lambda who: None, A.id)


def test_every_kind_that_a_person_signs_is_looked_through_for_repeats() -> None:
    assert {each.kind for each in remote_signing.SIGNED_KINDS} == {
        *("signed-attestation", "amendment", "signed-baseline", "tools-approval"),
        *("request", "credential-policy", "finding-review", "signed-person-merge"),
    }


# Keys that were made elsewhere.


def proof(store: EvidenceStore, key: LocalSigner, person: str = ANA) -> bytes:
    said = build_possession_payload(store, key.public, person)  # type: ignore[arg-type]  # one
    return dsse.sign_envelope(POSSESSION, said, key.id, key.seed).signatures[0].sig


def test_a_key_is_enrolled_for_who_shows_that_they_have_it(
    owned: EvidenceStore,
) -> None:
    key, word = (
        signer("n"),
        KeyAuthority("https://idp.example sub 17", WrittenBy.MEDIATOR),
    )
    shown = proof(owned, key)
    (item,) = enroll_there(owned, key.public, ANA, shown, word, uid=7, now=NOW).items
    assert (item["person"], item["state"]) == (ANA, "valid")
    assert item["enrolled_by"] == "https://idp.example sub 17"
    assert item["written_by"] == "mediator"


def test_nobody_is_given_a_key_that_another_holds(
    owned: EvidenceStore, store: EvidenceStore
) -> None:
    key = signer("n")
    wrong = (
        proof(owned, key, BEN),
        proof(store, key),
        proof(owned, signer("m")),
        b"",
    )
    for shown in wrong:
        with pytest.raises(VerificationError, match="did not sign"):
            enroll_there(
                owned, key.public, ANA, shown, KeyAuthority("x"), uid=7, now=NOW
            )
    with pytest.raises(UsageError, match="small order"):
        enroll_there(
            owned, bytes(32), ANA, bytes(64), KeyAuthority("x"), uid=7, now=NOW
        )
    assert key.id not in owner_keys.read_owner_keys(owned)


def test_what_was_enrolled_on_a_terminal_still_names_its_user(
    owned: EvidenceStore,
) -> None:
    enroll(owned, signer("t"), ANA)
    items = key_enrolment.list_owner_keys(owned, now=NOW).items
    assert {item["enrolled_by"] for item in items} == {"uid 1000"}
