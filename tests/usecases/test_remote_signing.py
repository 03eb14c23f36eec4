"""What is signed elsewhere is recorded as if it were signed here, and nothing else is."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.evidence import dsse, signed_statements
from answerable.model.decision import Reason
from answerable.model.documents.core import Document
from answerable.model.errors import UsageError, VerificationError
from answerable.model.owner_key import SKEW, Statement
from answerable.model.provenance import WrittenBy
from answerable.services.authorization.approval_requests import asks
from answerable.services.authorization.decision_records import Spooled
from answerable.services.inventory import snapshots
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import Signatory, Signer, Word
from answerable.services.statements.policy_exceptions import AMENDMENT
from answerable.store.store import Store
from answerable.usecases.authorization import answer_approvals
from answerable.usecases.authorization.answer_approvals import Term
from answerable.usecases.evidence import remote_signing
from answerable.usecases.evidence.enroll_remote_key import POSSESSION, possession
from answerable.usecases.evidence.enroll_remote_key import enroll as enroll_there
from answerable.usecases.evidence.remote_signing import WITHIN, prepare, submit
from answerable.usecases.inventory import ownership
from tests.inventory.fact_builders import NOW
from tests.usecases.owned_store import AGENT, HOUR, OTHER, owned_store
from tests.usecases.test_approval_requests import ask_of
from tests.usecases.test_attested_owners import ANA, BEN, A, B, enroll, signer

Act = Callable[[Signatory], Document]
MINUTE = HOUR // 60
LATER = NOW + HOUR


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only matters when the power fails."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr("os.fdatasync", lambda handle: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return owned_store(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture
def owned(made: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(made, tmp_path / "owned")
    with Store.open(tmp_path / "owned", now=NOW) as store:
        yield store


HOURLY = Term(HOUR)


def allowing(store: Store, decision: str, now: int) -> Act:
    return lambda who: answer_approvals.allow(
        store, Spooled(), decision, who, HOURLY, now=now
    )


def signed(said: Statement, key: Signer = A) -> bytes:
    """Sign as a browser does: it has the bytes, and knows nothing else."""
    return dsse.encode(
        dsse.sign(
            signed_statements.PAYLOAD_TYPE,
            signed_statements.payload(said),
            key.id,
            key.seed,
        )
    )


def asked(store: Store, tmp_path: Path) -> str:
    (decision,) = ask_of(store, tmp_path, (Reason.NO_RULE, 2))
    return decision


def test_what_was_prepared_and_signed_elsewhere_stands(
    owned: Store, tmp_path: Path
) -> None:
    decision = asked(owned, tmp_path)
    said = prepare(allowing(owned, decision, LATER), A.id)
    assert owned.objects(AMENDMENT) == ()
    now = LATER + 5 * MINUTE
    told = submit(owned, allowing(owned, decision, now), signed(said), now)
    assert told.items[0]["state"] == "allowed"
    # It ends when its person was shown that it would.
    assert said.claim("until") == str(LATER + HOUR)
    (ask,) = asks(owned, None, now=now, since=0).items
    assert (ask["state"], ask["by"]) == ("allowed", [ANA])


def test_an_agent_that_tries_again_changes_nothing_of_what_is_signed(
    owned: Store, tmp_path: Path
) -> None:
    ids = ask_of(owned, tmp_path, (Reason.NO_RULE, 2), (Reason.NO_RULE, 3))
    first = prepare(allowing(owned, ids[0], LATER), A.id)
    assert first.claim("decision") == ids[0]
    assert submit(owned, allowing(owned, ids[0], LATER), signed(first), LATER)


@pytest.mark.parametrize("moved", [-1, 1])
def test_it_is_signed_within_minutes(owned: Store, tmp_path: Path, moved: int) -> None:
    decision = asked(owned, tmp_path)
    said = prepare(allowing(owned, decision, LATER), A.id)
    edge = WITHIN if moved > 0 else SKEW
    now = LATER + moved * (edge + 1)
    with pytest.raises(VerificationError, match="within the last 10 minutes"):
        submit(owned, allowing(owned, decision, now), signed(said), now)
    assert owned.objects(AMENDMENT) == ()
    now = LATER + moved * edge
    assert submit(owned, allowing(owned, decision, now), signed(said), now)


def _spelled(*claims: tuple[str, str]) -> Callable[[Statement], Statement]:
    def change(said: Statement) -> Statement:
        kept = dict(said.claims) | dict(claims)
        return replace(said, claims=tuple(sorted(kept.items())))

    return change


CHANGES: dict[str, Callable[[Statement], Statement]] = {
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
    owned: Store, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    shown = prepare(act, A.id)
    for name, change in CHANGES.items():
        with (
            subtests.test(name),
            pytest.raises(VerificationError, match="would be recorded now"),
        ):
            submit(owned, act, signed(change(shown)), LATER)
    assert owned.objects(AMENDMENT) == ()


def test_only_the_owner_with_a_key_that_counts_signs(
    owned: Store, tmp_path: Path
) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    said = prepare(act, A.id)
    # Somebody else, with their own name in it or with Ana's.
    for theirs in (replace(said, key=B.id), said):
        with pytest.raises(VerificationError):
            submit(owned, act, signed(theirs, B), LATER)
    with pytest.raises(VerificationError, match="expected the attested owner"):
        prepare(act, B.id)
    with pytest.raises(VerificationError, match="not enrolled"):
        prepare(act, signer("c").id)
    owner_keys.revoke(owned, A.id, since=None, uid=1, now=LATER)
    with pytest.raises(VerificationError, match="revoked"):
        submit(owned, allowing(owned, decision, LATER + 1), signed(said), LATER + 1)
    assert owned.objects(AMENDMENT) == ()


def test_a_statement_is_recorded_once_however_it_is_wrapped(
    owned: Store, tmp_path: Path
) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    envelope = signed(prepare(act, A.id))
    submit(owned, act, envelope, LATER)
    parts = json.loads(envelope)
    parts["payload"] = (
        base64.urlsafe_b64encode(base64.b64decode(parts["payload"]))
    ).decode()
    wrapped = json.dumps({**parts, "more": 1}, indent=1).encode()
    for again in (envelope, wrapped):
        with pytest.raises(VerificationError, match="recorded already"):
            submit(owned, act, again, LATER)
    assert len(owned.objects(AMENDMENT)) == 1


def test_what_else_was_wrapped_is_not_kept(owned: Store, tmp_path: Path) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    parts = json.loads(signed(prepare(act, A.id)))
    parts["signatures"].append({"keyid": "smuggled", "sig": "AAAA"})
    submit(owned, act, json.dumps({**parts, "note": "smuggled"}).encode(), LATER)
    (kept,) = owned.objects(AMENDMENT)
    assert b"smuggled" not in owned.get_object(kept.digest)


def test_nothing_else_of_a_statement_is_believed(owned: Store, tmp_path: Path) -> None:
    decision = asked(owned, tmp_path)
    act = allowing(owned, decision, LATER)
    for envelope in (b"", b"{}", b"\xff", b'{"payload":1}', b"[" * 10_000):
        with pytest.raises(VerificationError):
            submit(owned, act, envelope, LATER)


def test_an_attestation_is_signed_elsewhere_too(owned: Store) -> None:
    def act(who: Signatory) -> Document:
        inventory = snapshots.load(owned)
        return ownership.attest_signed(owned, inventory, AGENT, ANA, who, now=LATER)

    said = prepare(act, A.id)
    (told,) = submit(owned, act, signed(said), LATER).items
    assert (told["state"], told["person"]) == ("attested", ANA)
    with pytest.raises(VerificationError, match="recorded already"):
        submit(owned, act, signed(said), LATER)
    # Another one stands by now: what was shown is not what would be recorded.
    with pytest.raises(VerificationError, match="previous"):
        submit(owned, act, signed(replace(said, signed_at=LATER - 1)), LATER)


def test_an_act_without_a_signature_is_a_fault(owned: Store) -> None:
    with pytest.raises(RuntimeError):
        prepare(lambda who: None, A.id)


def test_every_kind_that_a_person_signs_is_looked_through_for_repeats() -> None:
    assert set(remote_signing.KINDS) == {
        *("signed-attestation", "amendment", "signed-baseline", "tools-approval")
    }


# Keys that were made elsewhere.


def proof(store: Store, key: Signer, person: str = ANA) -> bytes:
    said = possession(store, key.public, person)  # type: ignore[arg-type]  # one
    return dsse.sign(POSSESSION, said, key.id, key.seed).signatures[0].sig


def test_a_key_is_enrolled_for_who_shows_that_they_have_it(owned: Store) -> None:
    key, word = signer("n"), Word("https://idp.example sub 17", WrittenBy.MEDIATOR)
    shown = proof(owned, key)
    (item,) = enroll_there(owned, key.public, ANA, shown, word, uid=7, now=NOW).items
    assert (item["person"], item["state"]) == (ANA, "valid")
    assert item["enrolled_by"] == "https://idp.example sub 17"
    assert item["written_by"] == "mediator"


def test_nobody_is_given_a_key_that_another_holds(owned: Store, store: Store) -> None:
    key = signer("n")
    wrong = (
        proof(owned, key, BEN),
        proof(store, key),
        proof(owned, signer("m")),
        b"",
    )
    for shown in wrong:
        with pytest.raises(VerificationError, match="did not sign"):
            enroll_there(owned, key.public, ANA, shown, Word("x"), uid=7, now=NOW)
    with pytest.raises(UsageError, match="small order"):
        enroll_there(owned, bytes(32), ANA, bytes(64), Word("x"), uid=7, now=NOW)
    assert key.id not in owner_keys.keys(owned)


def test_what_was_enrolled_on_a_terminal_still_names_its_user(owned: Store) -> None:
    enroll(owned, signer("t"), ANA)
    items = owner_keys.listed(owned, now=NOW).items
    assert {item["enrolled_by"] for item in items} == {"uid 1000"}
