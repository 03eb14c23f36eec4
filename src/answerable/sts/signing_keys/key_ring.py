"""Key ring of one replica: the active signing key, and the key set of all replicas.

`refresh` performs due rotation steps and reads the keys of other replicas. It may block
on disk and database, so it runs about once a second off the request path; `sign` and
`jwks` only use memory. A revoked key stops signing at the next `refresh`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from answerable.federation.key_rotation import (
    SLACK,
    TOKEN_LIFE,
    State,
    Step,
    next_turn,
    plan,
    published,
    signing_key,
    state,
)
from answerable.model.errors import AnswerableError
from answerable.model.signing_key import SigningKey
from answerable.store.token_state.interface import Control
from answerable.sts.signing_keys.key_store import KeyFolder
from answerable.sts.signing_keys.signer import Signer


class NoSigningKey(AnswerableError):  # noqa: N818 - an outcome
    """No key can sign now; the endpoint answers `temporarily_unavailable`."""


@dataclass(frozen=True, slots=True)
class _Now:
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
    signers: Mapping[str, Signer]
    kid: str
    until: float
    jwks: bytes
    early: bool


class Ring:
    """The signing keys of one replica.

    Args:
        control: Shared record of public keys.
        folder: Private keys of this replica.
        now: NumericDate.

    Raises:
        EnvironmentRefused: The folder or the database cannot be used.
    """

    def __init__(self, control: Control, folder: KeyFolder, now: float) -> None:
        self._control, self._folder = control, folder
        self._now = _Now((), {}, "", 0, b"", early=False)
        self.refresh(now)

    @property
    def early(self) -> bool:
        """Tell whether verifiers may not know the active key yet.

        A replica that joins others should get no traffic during that time.
        """
        return self._now.early

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """Return the keys of all replicas."""
        return self._now.keys

    def jwks(self) -> bytes:
        """Return the key set to publish (RFC 7517 5), the same on every replica."""
        return self._now.jwks

    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> bytes:
        """Sign claims with the active key.

        Args:
            claims: JSON values; `exp` is at most `TOKEN_LIFE` seconds from now.
            typ: Type of the token, e.g. `at+jwt`.
            now: NumericDate.

        Raises:
            NoSigningKey: No key is active.
        """
        held = self._now
        kid = held.kid
        if now >= held.until:
            kid = signing_key(held.keys, self._folder.replica, now)
        signer = held.signers.get(kid)
        exp = claims.get("exp")
        if signer is None:
            raise NoSigningKey("no key may sign now", "see: answerable sts keys")
        if not isinstance(exp, int) or exp > now + TOKEN_LIFE + SLACK // 2:
            # The key would be gone from the set before the token ends.
            raise ValueError(f"a token has to end within {TOKEN_LIFE} seconds")
        return signer.sign(claims, typ)

    def kill(self, kid: str, now: float) -> bool:
        """Revoke a key and remove it from the key set.

        Returns:
            False if it is unknown or was revoked before.
        """
        killed = self._control.kill_key(kid, now)
        self.refresh(now)
        return killed

    def refresh(self, now: float) -> None:
        """Perform due rotation steps and read the keys of other replicas.

        Raises:
            EnvironmentRefused: Disk or database failed; the current keys stay in use.
        """
        replica = self._folder.replica
        keys = self._control.keys()
        step = plan(keys, replica, now)
        if step.prepare or step.changed or step.remove or self._lost(keys, now):
            with self._folder.held():
                keys, step = self._settle(now)
        mine = [key.kid for key in self._own(keys, now)]
        self._now = _Now(
            keys=keys,
            signers={kid: self._signer(kid) for kid in mine},
            kid=signing_key(keys, replica, now),
            until=next_turn(keys, now),
            jwks=_jwks(published(keys, now)),
            early=step.early,
        )

    def _settle(self, now: float) -> tuple[tuple[SigningKey, ...], Step]:
        """Perform the due steps under the folder lock."""
        control, folder = self._control, self._folder
        for lost in self._lost(control.keys(), now):
            if now < lost.signs_from:
                control.kill_key(lost.kid, now)
            else:
                # Its tokens must verify until they expire.
                control.publish_key(replace(lost, signs_until=int(now)))
        while True:
            keys = control.keys()
            step = plan(keys, folder.replica, now)
            for kid in step.remove:
                folder.remove(kid)
                control.remove_key(kid)
            for key in step.changed:
                control.publish_key(key)
            if step.prepare is None:
                break
            kid, jwk = folder.make()
            members = dict(jwk.members)
            control.publish_key(
                replace(step.prepare, kid=kid, x=members["x"], y=members["y"])
            )
        keys = control.keys()
        # A retired key is published, and needs its private half no more.
        for kid in folder.kids() - {key.kid for key in self._own(keys, now)}:
            folder.remove(kid)
        return keys, plan(keys, folder.replica, now)

    def _own(self, keys: tuple[SigningKey, ...], now: float) -> list[SigningKey]:
        """Return this replica's prepared and active keys."""
        signing = (State.PREPARED, State.ACTIVE)
        return [
            key
            for key in keys
            if key.replica == self._folder.replica and state(key, keys, now) in signing
        ]

    def _lost(self, keys: tuple[SigningKey, ...], now: float) -> list[SigningKey]:
        """Return keys whose private half is missing."""
        there = self._folder.kids()
        return [key for key in self._own(keys, now) if key.kid not in there]

    def _signer(self, kid: str) -> Signer:
        known = self._now.signers.get(kid)
        return known or Signer(kid, self._folder.load(kid))


def _jwks(keys: tuple[SigningKey, ...]) -> bytes:
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
