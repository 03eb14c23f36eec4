"""Security keys on the page: enrolled at its origin, then they sign and sign in."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.evidence import dsse, signed_statements
from answerable.model.errors import UsageError, VerificationError
from answerable.services.statements import owner_keys
from answerable.usecases.evidence import enroll_remote_key
from answerable.usecases.evidence.key_sign_in import SIGN_IN
from answerable.web.pages.owner_keys import enroll_own_key, list_keys
from answerable.web.routing import PageAnswer, Redirect, RouteRequest
from answerable.web.store_cache import StoreCache
from tests.evidence.software_security_key import SoftwareSecurityKey
from tests.usecases.owned_store import ANA, BEN, create_owned_store
from tests.web.conftest import answer
from tests.web.dispatcher_harness import URL, DispatcherHarness, HarnessResponse
from tests.web.signing.owner_store import (
    OWNER,
    FrozenStoreCache,
    owner,
    record_held_call,
)

HERE = "http://localhost:8470"


@pytest.fixture
def own_desk(tmp_path: Path) -> Iterator[StoreCache]:
    store = create_owned_store(tmp_path / "store")
    made = FrozenStoreCache(store, None, (store / "gateway" / "spool",))
    yield made
    made.close()


def form(
    desk: StoreCache, device: SoftwareSecurityKey, **faults: object
) -> dict[str, str]:
    """Fill the form of the page, as its script does."""
    with desk.open_store() as store:
        said = enroll_remote_key.build_possession_payload(store, device.public, ANA)
    signed = dsse.pre_authentication_encoding(enroll_remote_key.POSSESSION, said)
    return {
        "public": b64encode(device.public).decode(),
        "proof": b64encode(device.sign(signed, **faults)).decode(),  # type: ignore[arg-type]  # of a test
        "credential": b64encode(device.credential.id).decode(),
    }


def enroll(desk: StoreCache, device: SoftwareSecurityKey) -> None:
    request = RouteRequest(form=form(desk, device), origin=device.origin)
    moved = enroll_own_key(desk, OWNER, request)
    assert isinstance(moved, Redirect)
    assert moved.confirmation == f"Enrolled: this security key now signs as {ANA}."


def test_a_security_key_is_enrolled_for_the_origin_of_the_page(
    own_desk: StoreCache,
) -> None:
    device = SoftwareSecurityKey(HERE)
    enroll(own_desk, device)
    page = list_keys(own_desk, OWNER, RouteRequest(origin=HERE))
    assert isinstance(page, PageAnswer)
    kinds = {item["id"]: item["kind"] for item in page.values["items"]}  # type: ignore[attr-defined]  # of a test
    assert kinds[device.id] == "webauthn"
    assert sorted(kinds.values()) == ["ed25519", "webauthn"]


@pytest.mark.parametrize(
    ("origin", "faults"),
    [("http://localhost:8471", {}), (HERE, {"flags": 1}), (HERE, {"challenge": "AA"})],
)
def test_a_proof_of_another_origin_or_without_a_person_is_refused(
    own_desk: StoreCache, origin: str, faults: dict[str, object]
) -> None:
    device = SoftwareSecurityKey(HERE)
    request = RouteRequest(form=form(own_desk, device, **faults), origin=origin)
    with pytest.raises(VerificationError, match="did not sign its enrollment"):
        enroll_own_key(own_desk, OWNER, request)


def test_an_old_sign_in_another_person_or_a_malformed_key_enrolls_nothing(
    own_desk: StoreCache,
) -> None:
    device = SoftwareSecurityKey(HERE)
    whole = form(own_desk, device)
    old = owner(ANA, fresh=False)
    with pytest.raises(UsageError, match="too old"):
        enroll_own_key(own_desk, old, RouteRequest(form=whole, origin=HERE))
    with pytest.raises(VerificationError):
        enroll_own_key(own_desk, owner(BEN), RouteRequest(form=whole, origin=HERE))
    for name, text in (("credential", "?"), ("public", "AAAA"), ("credential", "")):
        bad = {**whole, name: text}
        with pytest.raises((UsageError, VerificationError)):
            enroll_own_key(own_desk, OWNER, RouteRequest(form=bad, origin=HERE))
    with own_desk.open_store() as store:
        assert device.id not in owner_keys.read_owner_keys(store)


def sign(
    desk: StoreCache, device: SoftwareSecurityKey, decision: str, **faults: object
) -> str:
    """Sign what the page shows, and give the envelope."""
    page = answer(desk, OWNER, "/sign", act="refuse", id=decision)
    assert isinstance(page, PageAnswer)
    drafts = {each.key: each for each in page.values["drafts"]}  # type: ignore[attr-defined]  # of a test
    draft = drafts[device.id]
    assert (draft.origin, bool(draft.credential)) == (HERE, True)
    payload = b64decode(draft.payload)
    return device.seal(signed_statements.PAYLOAD_TYPE, payload, **faults).decode()


def submit(desk: StoreCache, decision: str, envelope: str) -> None:
    said = {"act": "refuse", "id": decision, "envelope": envelope}
    answer(desk, OWNER, "/sign", "POST", **said)


def test_it_signs_what_the_page_shows_and_readers_verify_it(
    own_desk: StoreCache,
) -> None:
    device, decision = SoftwareSecurityKey(HERE), record_held_call(own_desk)
    enroll(own_desk, device)
    for fault in ({"flags": 1}, {"origin": "http://localhost"}, {"rp": "localhost."}):
        envelope = sign(own_desk, device, decision, **fault)
        with pytest.raises(VerificationError, match="is not signed by the key"):
            submit(own_desk, decision, envelope)
    envelope = sign(own_desk, device, decision)
    submit(own_desk, decision, envelope)
    page = answer(own_desk, OWNER, "/ask", id=decision)
    assert isinstance(page, PageAnswer)
    assert page.values["ask"]["state"] == "refused"  # type: ignore[index]  # of a test


def send(
    harness: DispatcherHarness, device: SoftwareSecurityKey, **faults: object
) -> HarnessResponse:
    with harness.desk.open_store() as store:
        here = owner_keys.get_store_id(store)
    said = {
        "address": URL,
        "challenge": harness.signing_in.issue_challenge(),
        "key": device.id,
        "store": here,
    }
    payload = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    envelope = device.seal(SIGN_IN, payload, **faults).decode()
    return harness.post("/sign-in/key", {"envelope": envelope, "next": "/keys"})


def test_it_signs_in_and_a_clone_does_not(own_desk: StoreCache) -> None:
    harness = DispatcherHarness(own_desk, person=ANA)
    device = SoftwareSecurityKey(URL)
    enroll(own_desk, device)
    assert send(harness, device, flags=1).status == 403
    assert send(harness, device, count=7).status == 303
    cloned = send(harness, device, count=7)
    assert cloned.status == 403
    assert "may be cloned" in cloned.text
    assert send(harness, device, count=0).status == 403
    assert send(harness, device, count=8).status == 303
    # Without a counter there is nothing to compare.
    other = SoftwareSecurityKey(URL, secret=9)
    enroll(own_desk, other)
    assert [send(harness, other, count=0).status for _ in "12"] == [303, 303]
