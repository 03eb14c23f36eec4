"""Sign-in with an owner key: only the local person's valid key, here, and once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from answerable.evidence import dsse
from answerable.services.statements import key_enrolment, owner_keys
from answerable.usecases.evidence.key_sign_in import SIGN_IN
from answerable.web.auth.sign_in_challenges import CHALLENGE_LIFETIME
from answerable.web.visitor import WebRole
from tests.usecases.owned_store import ANA, A, B, create_owned_store
from tests.web.dispatcher_harness import (
    URL,
    DispatcherHarness,
    FakeClock,
    HarnessResponse,
)
from tests.web.signing.owner_store import LATER, FrozenStoreCache


@dataclass
class KeySignInStage:
    """A door with the sign-in by key, and what signs there."""

    door: DispatcherHarness
    clock: FakeClock

    @property
    def store_id(self) -> str:
        with self.door.desk.open_store() as store:
            return owner_keys.get_store_id(store)

    def challenge(self) -> str:
        return self.door.signing_in.issue_challenge()

    def sign(self, **other: str) -> str:
        said = {
            "address": URL,
            "challenge": other.get("challenge") or self.challenge(),
            "key": A.id,
            "store": self.store_id,
        } | other
        payload = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        signer = B if other.get("key") == B.id else A
        signed = dsse.sign_envelope(SIGN_IN, payload, signer.id, signer.seed)
        return dsse.encode_envelope(signed).decode()

    def send(self, envelope: str, **more: str) -> HarnessResponse:
        return self.door.post(
            "/sign-in/key", {"envelope": envelope, "next": "/keys"}, **more
        )


@pytest.fixture
def at(tmp_path: Path) -> Iterator[KeySignInStage]:
    desk = FrozenStoreCache(create_owned_store(tmp_path / "store"))
    door = DispatcherHarness(desk, person=ANA)
    yield KeySignInStage(door, door.clock)
    desk.close()


def test_a_key_of_the_local_person_signs_in_and_the_session_is_fresh(
    at: KeySignInStage,
) -> None:
    answer = at.send(at.sign())
    assert (answer.status, answer.fields["location"]) == (303, "/keys")
    session = at.door.sessions.find(answer.cookie)
    assert session is not None
    assert (session.person, session.by) == (ANA, "owner-key")
    assert session.roles == {WebRole.ADMIN, WebRole.OWNER}
    assert at.door.sessions.is_recently_authenticated(session)
    assert at.door.tried == [("owner-key", "")]


def test_a_challenge_signs_in_once_and_for_ten_minutes(at: KeySignInStage) -> None:
    envelope = at.sign()
    assert at.send(envelope).status == 303
    assert at.send(envelope).status == 403
    late = at.sign()
    at.clock.now += CHALLENGE_LIFETIME
    assert at.send(late).status == 403
    assert at.send(at.sign(challenge="A" * 75)).status == 403
    assert [why for _, why in at.door.tried] == ["", "stale", "stale", "stale"]


@pytest.mark.parametrize(
    "other",
    [
        {"key": B.id},  # of another person
        {"key": "owner-key:unknown"},
        {"store": "another"},
        {"address": "http://127.0.0.1:9999"},
    ],
)
def test_another_key_person_store_or_address_does_not(
    at: KeySignInStage, other: dict[str, str]
) -> None:
    answer = at.send(at.sign(**other))
    assert (answer.status, answer.cookie) == (403, "")
    assert at.door.tried == [("owner-key", "key")]


def test_a_signature_of_another_key_or_over_another_text_does_not(
    at: KeySignInStage,
) -> None:
    envelope = json.loads(at.sign())
    envelope["signatures"] = json.loads(at.sign())["signatures"]
    assert at.send(json.dumps(envelope)).status == 403
    for nonsense in ("", "{}", "x" * 5000):
        assert at.send(nonsense).status == 403


def test_a_revoked_key_does_not(at: KeySignInStage) -> None:
    with at.door.desk.open_store() as store:
        key_enrolment.revoke_owner_key(store, A.id, since=None, uid=1, now=LATER - 1)
    assert at.send(at.sign()).status == 403


@pytest.mark.parametrize(
    "more", [{"peer": "192.0.2.7"}, {"headers": {"x-forwarded-for": "192.0.2.7"}}]
)
def test_a_key_signs_in_on_this_machine_alone(at: KeySignInStage, more) -> None:
    assert at.send(at.sign(), **more).status == 403
    assert at.door.tried == [("owner-key", "far")]


def test_without_a_local_person_there_is_no_such_sign_in(at: KeySignInStage) -> None:
    assert "data-key-sign-in" in at.door.get("/sign-in").text
    envelope = at.sign()
    at.door.signing_in.person = None
    assert at.send(envelope).status == 404
    assert "data-key-sign-in" not in at.door.get("/sign-in").text
