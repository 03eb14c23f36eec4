"""Keys on disk and in use: what is signed verifies, whatever key's turn it is."""

import json
import random
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from answerable.federation.claim_parsing import CLOCK_SKEW
from answerable.federation.jwk_set import parse_key_set
from answerable.federation.key_rotation import (
    CACHE_MAX_AGE,
    KEY_LIFETIME,
    LEAD_TIME,
    MAX_TOKEN_LIFETIME,
)
from answerable.federation.token_errors import TokenRejected
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_token,
)
from answerable.model.errors import EnvironmentFailure
from answerable.model.token_claims import TokenType
from answerable.store.token_state.sqlite import SqliteTokenState
from answerable.sts.signing_keys.key_ring import KeyRing, SigningUnavailable
from answerable.sts.signing_keys.key_store import KeyStore, to_public_jwk
from answerable.sts.signing_keys.signer import Es256Signer
from tests.federation.sample_tokens import AUD, NOW, claims, issuer


def taken(token: bytes, jwks: bytes, now: int, typ: str = "at+jwt") -> str:
    """The kid of a token that holds."""
    known = IssuerWithKeys(issuer(), AUD, parse_key_set(jwks, ("ES256",)))
    kind = TokenType.ACCESS_TOKEN if typ == "at+jwt" else TokenType.ID_JAG
    return verify_token(token.decode(), IssuerIndex(known), now, kind).kid


def said(now: int, **changes: object) -> dict[str, object]:
    return claims(**{"iat": now, "exp": now + MAX_TOKEN_LIFETIME} | changes)


@pytest.fixture
def control(tmp_path: Path) -> SqliteTokenState:
    return SqliteTokenState(tmp_path / "shared", NOW)


def ring(control: SqliteTokenState, folder: Path, now: float = NOW) -> KeyRing:
    return KeyRing(control, KeyStore(folder), now)


NAMES = st.text(min_size=1, max_size=8).filter(
    lambda name: name not in ("events", "htm", "htu", "nonce", "at_hash", "c_hash")
)
LEAVES = st.text(max_size=20) | st.integers(-(2**53), 2**53) | st.booleans()
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=6,
)
_SIGNER = Es256Signer("k1", ec.generate_private_key(ec.SECP256R1()))
_SET = json.dumps(
    {
        "keys": [
            dict(to_public_jwk(_SIGNER.public_key).members)
            | {"kid": "k1", "alg": "ES256"}
        ]
    }
).encode()


@given(
    st.dictionaries(NAMES, VALUES, max_size=5),
    st.sampled_from(["at+jwt", "oauth-id-jag+jwt"]),
)
def test_everything_signed_verifies(others: dict[str, object], typ: str) -> None:
    told = {f"x_{name}": value for name, value in others.items()} | said(NOW)
    token = _SIGNER.sign(told, typ)
    assert taken(token, _SET, NOW, typ) == "k1"


def test_a_signature_has_its_full_length_however_small_its_numbers_are() -> None:
    lengths = {len(_SIGNER.sign({"n": n}, "at+jwt").split(b".")[2]) for n in range(600)}
    assert lengths == {86}


def test_what_was_changed_after_it_was_signed_does_not_verify() -> None:
    token = _SIGNER.sign(said(NOW), "at+jwt")
    head, payload, signature = token.split(b".")
    changed = payload[:-4] + (b"AAAA" if payload[-4:] != b"AAAA" else b"BBBB")
    with pytest.raises(TokenRejected):
        taken(b".".join((head, changed, signature)), _SET, NOW)


def test_keys_are_files_of_their_user_alone_and_encrypted(
    control: SqliteTokenState, tmp_path: Path
) -> None:
    folder = tmp_path / "sts"
    ring(control, folder)
    files = list((folder / "keys").iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    pems = [path for path in files if path.suffix == ".pem"]
    assert len(pems) == 2
    for path in pems:
        assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        with pytest.raises(TypeError):
            serialization.load_pem_private_key(path.read_bytes(), None)


def test_a_key_is_named_by_its_thumbprint(
    control: SqliteTokenState, tmp_path: Path
) -> None:
    held = ring(control, tmp_path / "sts")
    keys = parse_key_set(held.jwks(), ("ES256",)).keys
    assert len(keys) == 2
    assert all(kid == key.jwk.thumbprint for kid, key in keys.items())


def test_a_restart_goes_on_with_the_same_keys(
    control: SqliteTokenState, tmp_path: Path
) -> None:
    first = ring(control, tmp_path / "sts")
    token = first.sign(said(NOW), "at+jwt", NOW)
    again = ring(control, tmp_path / "sts", NOW + 5)
    assert again.jwks() == first.jwks()
    assert taken(token, again.jwks(), NOW + 5) == taken(
        again.sign(said(NOW), "at+jwt", NOW + 5), first.jwks(), NOW + 5
    )


def test_workers_of_one_replica_sign_with_one_key(
    control: SqliteTokenState, tmp_path: Path
) -> None:
    workers = [ring(control, tmp_path / "sts") for _ in range(3)]
    kids = {taken(w.sign(said(NOW), "at+jwt", NOW), w.jwks(), NOW) for w in workers}
    assert len(kids) == 1
    assert len(control.list_signing_keys()) == 2


def test_a_killed_key_signs_no_more_and_is_no_longer_published(
    control: SqliteTokenState, tmp_path: Path
) -> None:
    held = ring(control, tmp_path / "sts")
    worker = ring(control, tmp_path / "sts")
    token = held.sign(said(NOW), "at+jwt", NOW)
    kid = taken(token, held.jwks(), NOW)
    assert held.revoke(kid, NOW + 1)
    assert not held.revoke(kid, NOW + 1)
    with pytest.raises(TokenRejected):
        taken(token, held.jwks(), NOW + 1)
    worker.refresh(NOW + 2)
    for each in (held, worker):
        fresh = each.sign(said(NOW + 2), "at+jwt", NOW + 2)
        assert taken(fresh, worker.jwks(), NOW + 2) != kid
    assert not list((tmp_path / "sts" / "keys").glob(f"{kid}.pem"))


def test_a_private_key_that_is_gone_is_followed_by_the_next(
    control: SqliteTokenState, tmp_path: Path
) -> None:
    held = ring(control, tmp_path / "sts")
    token = held.sign(said(NOW), "at+jwt", NOW)
    kid = taken(token, held.jwks(), NOW)
    (tmp_path / "sts" / "keys" / f"{kid}.pem").unlink()
    again = ring(control, tmp_path / "sts", NOW + 5)
    assert taken(token, again.jwks(), NOW + 5) == kid
    fresh = again.sign(said(NOW + 5), "at+jwt", NOW + 5)
    assert taken(fresh, again.jwks(), NOW + 5) != kid


def test_a_token_that_would_outlive_its_key_is_not_signed(
    control: SqliteTokenState, tmp_path: Path
) -> None:
    held = ring(control, tmp_path / "sts")
    with pytest.raises(ValueError, match="600 seconds"):
        held.sign(said(NOW, exp=NOW + MAX_TOKEN_LIFETIME + 61), "at+jwt", NOW)
    with pytest.raises(SigningUnavailable):
        held.sign(said(NOW + 9 * KEY_LIFETIME), "at+jwt", NOW + 9 * KEY_LIFETIME)


@pytest.mark.parametrize("named", ["file", "variable"])
def test_keys_need_the_passphrase_they_were_made_with(
    control: SqliteTokenState, tmp_path: Path, named: str
) -> None:
    secret = tmp_path / "passphrase"

    def opened(text: str) -> KeyStore:
        secret.write_text(f"{text}\n")
        secret.chmod(0o600)
        if named == "file":
            return KeyStore(tmp_path / "sts", file=str(secret))
        return KeyStore(tmp_path / "sts", variable="X", environ={"X": text})

    KeyRing(control, opened("a passphrase that is long"), NOW)
    assert not (tmp_path / "sts" / "keys" / "passphrase").exists()
    KeyRing(control, opened("a passphrase that is long"), NOW)
    with pytest.raises(EnvironmentFailure, match="cannot be decrypted"):
        KeyRing(control, opened("a passphrase that is wrong"), NOW)
    with pytest.raises(EnvironmentFailure, match="no passphrase of at least 16 bytes"):
        opened("short")
    with pytest.raises(EnvironmentFailure, match="no passphrase of at least 16 bytes"):
        KeyStore(tmp_path / "sts", variable="X", environ={})


def test_a_passphrase_or_a_key_that_others_may_read_is_refused(
    control: SqliteTokenState, tmp_path: Path
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("a passphrase that is long")
    secret.chmod(0o644)
    with pytest.raises(EnvironmentFailure, match="others can read it"):
        KeyStore(tmp_path / "sts", file=str(secret))
    ring(control, tmp_path / "sts")
    pem = next((tmp_path / "sts" / "keys").glob("*.pem"))
    pem.chmod(0o640)
    with pytest.raises(EnvironmentFailure, match="others can read it"):
        ring(control, tmp_path / "sts")


def test_the_key_of_a_replica_that_joins_is_too_new_until_verifiers_fetched_it(
    control: SqliteTokenState, tmp_path: Path
) -> None:
    first = ring(control, tmp_path / "one")
    assert not first.is_active_key_too_new
    first.refresh(NOW + KEY_LIFETIME)
    joined = KeyRing(control, KeyStore(tmp_path / "two"), NOW + KEY_LIFETIME)
    assert joined.is_active_key_too_new
    joined.refresh(NOW + KEY_LIFETIME + LEAD_TIME)
    assert not joined.is_active_key_too_new


def test_no_verification_fails_while_keys_rotate_under_load(
    control: SqliteTokenState, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Security test 17: two replicas, ten days, verifiers whose sets are as old as may be."""
    chance = random.Random(17)  # noqa: S311 - when somebody asks, no secret
    rings = [ring(control, tmp_path / name) for name in ("one", "two")]
    now = NOW + LEAD_TIME
    sets: list[tuple[int, bytes]] = []
    signed: list[tuple[bytes, int]] = []
    used, verified = set[str](), 0
    while now < NOW + 10 * KEY_LIFETIME:
        for each in rings:
            each.refresh(now)
            assert not each.is_active_key_too_new
        sets.append((now, chance.choice(rings).jwks()))
        signed += [
            (chance.choice(rings).sign(said(now), "at+jwt", now), now) for _ in range(4)
        ]
        for token, at in signed:
            # Any set that its max-age lets a verifier hold: from before the token too.
            held = chance.choice(
                [jwks for when, jwks in sets if when >= now - CACHE_MAX_AGE]
            )
            if at + chance.randrange(MAX_TOKEN_LIFETIME + CLOCK_SKEW) >= now:
                used.add(taken(token, held, now))
                verified += 1
        signed = [
            each for each in signed if each[1] + MAX_TOKEN_LIFETIME + CLOCK_SKEW > now
        ]
        sets = [each for each in sets if each[0] >= now - 2 * CACHE_MAX_AGE]
        begins = [key.signs_from for key in rings[0].keys]
        turn = min(at for at in begins if at > now)
        near = turn - 900 <= now or any(0 <= now - at < 900 for at in begins)
        now += 45 if near else max(45, turn - 900 - now)
    with capsys.disabled():
        print(f"\n{verified} verifications with {len(used)} keys in turn: 0 failed")
    assert len(used) >= 20
