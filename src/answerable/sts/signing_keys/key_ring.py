"""Key ring of one replica: sign with its active key, publish the keys of all replicas.

`refresh` performs due rotation steps and reads the keys of other replicas. It may block
on disk and database, so it runs about once a second off the request path; `sign` and
`jwks` only use memory. A revoked key stops signing at the next `refresh`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from answerable.federation.key_rotation import (
    CLOCK_SLACK,
    MAX_TOKEN_LIFETIME,
    KeyState,
    RotationStep,
    active_key_id,
    key_state,
    next_key_state_change,
    plan_rotation,
    published_keys,
)
from answerable.model.errors import AnswerableError
from answerable.model.token_signing_key import SigningKey
from answerable.store.token_state.interface import TokenState
from answerable.sts.signing_keys.key_store import KeyStore
from answerable.sts.signing_keys.signer import Es256Signer


class SigningUnavailable(AnswerableError):  # noqa: N818 - an outcome
    """No key can sign now; the endpoint answers `temporarily_unavailable`."""


@dataclass(frozen=True, slots=True)
class _KeySnapshot:
    """State between two refreshes.

    Attributes:
        keys: Keys of all replicas.
        signers: Signers of this replica by kid.
        kid: The active key until `until`.
        until: NumericDate of the next change.
        jwks: The encoded key set.
        early: Whether verifiers may not know the active key yet.
    """

    keys: tuple[SigningKey, ...]
    signers: Mapping[str, Es256Signer]
    kid: str
    until: float
    jwks: bytes
    early: bool


class KeyRing:
    """The signing keys of one replica.

    Args:
        control: Shared record of public keys.
        folder: Private keys of this replica.
        now: NumericDate.

    Raises:
        EnvironmentFailure: The folder or the database cannot be used.
    """

    def __init__(self, control: TokenState, folder: KeyStore, now: float) -> None:
        self._control, self._folder = control, folder
        self._now = _KeySnapshot((), {}, "", 0, b"", early=False)
        self.refresh(now)

    @property
    def is_active_key_too_new(self) -> bool:
        """Return whether verifiers may not have fetched the active key yet.

        A replica that joins others should get no traffic during that time.
        """
        return self._now.early

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """Return the token signing keys of all replicas."""
        return self._now.keys

    def jwks(self) -> bytes:
        """Return the key set to publish (RFC 7517 5), the same on every replica."""
        return self._now.jwks

    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> bytes:
        """Sign claims as a JWT with the active key.

        Args:
            claims: JSON values; `exp` is at most `MAX_TOKEN_LIFETIME` seconds from now.
            typ: Type of the token, e.g. `at+jwt`.
            now: NumericDate.

        Raises:
            SigningUnavailable: No key is active.
        """
        held = self._now
        kid = held.kid
        if now >= held.until:
            kid = active_key_id(held.keys, self._folder.replica, now)
        signer = held.signers.get(kid)
        exp = claims.get("exp")
        if signer is None:
            raise SigningUnavailable(
                "no signing key is valid now", "see: answerable token-service keys"
            )
        if (
            not isinstance(exp, int)
            or exp > now + MAX_TOKEN_LIFETIME + CLOCK_SLACK // 2
        ):
            # The key would be gone from the set before the token ends.
            raise ValueError(
                f"the token lifetime must not exceed {MAX_TOKEN_LIFETIME} seconds"
            )
        return signer.sign(claims, typ)

    def revoke(self, kid: str, now: float) -> bool:
        """Revoke a signing key, and remove it from the published JWKS.

        Returns:
            False if it is unknown or was revoked before.
        """
        killed = self._control.revoke_signing_key(kid, now)
        self.refresh(now)
        return killed

    def refresh(self, now: float) -> None:
        """Perform due rotation steps, and read the keys of other replicas.

        Raises:
            EnvironmentFailure: Disk or database failed; the current keys stay in use.
        """
        replica = self._folder.replica
        keys = self._control.list_signing_keys()
        step = plan_rotation(keys, replica, now)
        if (
            step.prepare
            or step.changed
            or step.remove
            or self._find_keys_without_file(keys, now)
        ):
            with self._folder.lock():
                keys, step = self._rotate_due_keys(now)
        mine = [key.kid for key in self._select_own_keys(keys, now)]
        self._now = _KeySnapshot(
            keys=keys,
            signers={kid: self._get_signer(kid) for kid in mine},
            kid=active_key_id(keys, replica, now),
            until=next_key_state_change(keys, now),
            jwks=_encode_jwks(published_keys(keys, now)),
            early=step.early,
        )

    def _rotate_due_keys(
        self, now: float
    ) -> tuple[tuple[SigningKey, ...], RotationStep]:
        """Perform due rotation steps under the folder lock; return all keys."""
        control, folder = self._control, self._folder
        for lost in self._find_keys_without_file(control.list_signing_keys(), now):
            if now < lost.signs_from:
                control.revoke_signing_key(lost.kid, now)
            else:
                # Its tokens must verify until they expire.
                control.publish_signing_key(replace(lost, signs_until=int(now)))
        while True:
            keys = control.list_signing_keys()
            step = plan_rotation(keys, folder.replica, now)
            for kid in step.remove:
                folder.remove(kid)
                control.delete_signing_key(kid)
            for key in step.changed:
                control.publish_signing_key(key)
            if step.prepare is None:
                break
            kid, jwk = folder.generate()
            members = dict(jwk.members)
            control.publish_signing_key(
                replace(step.prepare, kid=kid, x=members["x"], y=members["y"])
            )
        keys = control.list_signing_keys()
        # A retired key is published, and needs its private half no more.
        for kid in folder.key_ids() - {
            key.kid for key in self._select_own_keys(keys, now)
        }:
            folder.remove(kid)
        return keys, plan_rotation(keys, folder.replica, now)

    def _select_own_keys(
        self, keys: tuple[SigningKey, ...], now: float
    ) -> list[SigningKey]:
        """Return the prepared and active keys of this replica."""
        signing = (KeyState.PREPARED, KeyState.ACTIVE)
        return [
            key
            for key in keys
            if key.replica == self._folder.replica
            and key_state(key, keys, now) in signing
        ]

    def _find_keys_without_file(
        self, keys: tuple[SigningKey, ...], now: float
    ) -> list[SigningKey]:
        """Return this replica's keys whose private key file is missing."""
        there = self._folder.key_ids()
        return [key for key in self._select_own_keys(keys, now) if key.kid not in there]

    def _get_signer(self, kid: str) -> Es256Signer:
        """Return the cached signer of a key, else load its private key."""
        known = self._now.signers.get(kid)
        return known or Es256Signer(kid, self._folder.load(kid))


def _encode_jwks(keys: tuple[SigningKey, ...]) -> bytes:
    """Encode public keys as a JWK set."""
    listed = [
        {
            "kty": "EC",
            "crv": "P-256",
            "x": key.x,
            "y": key.y,
            "kid": key.kid,
            "alg": "ES256",
            "use": "sig",
        }
        for key in keys
    ]
    return msgspec.json.encode({"keys": listed})
