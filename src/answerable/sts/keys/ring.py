"""The keys of one replica, in use: which one signs now, and the set that all publish.

`refresh` does what is due and reads what other replicas did. It may wait for disk and
database, so it is called about once a second off the path of requests; `sign` and `jwks`
touch memory alone. A killed key signs no more after the next `refresh` of its replica.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from answerable.federate.keyring import (
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
from answerable.model.signing import SigningKey
from answerable.store.control.contract import Control
from answerable.sts.keys.folder import KeyFolder
from answerable.sts.keys.signer import Signer


class NoSigningKey(AnswerableError):  # noqa: N818 - an outcome
    """No key may sign now: answer `temporarily_unavailable`."""


@dataclass(frozen=True, slots=True)
class _Now:
    """What holds from one refresh to the next.

    Attributes:
        keys: Of all replicas, as last read.
        signers: Of this replica, by kid.
        kid: Of the one that signs until `until`.
        until: NumericDate at which this is looked at anew.
        jwks: The key set.
        early: Verifiers may not know the key that signs yet.
    """

    keys: tuple[SigningKey, ...]
    signers: Mapping[str, Signer]
    kid: str
    until: float
    jwks: bytes
    early: bool


class Ring:
    """The keys.

    Args:
        control: Where replicas publish them.
        folder: The private halves of this replica.
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
        """Tell whether a verifier may not know the key that signs yet.

        A replica that joins others is better not sent requests while this holds.
        """
        return self._now.early

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """Give the keys of all replicas, for an operator to look at."""
        return self._now.keys

    def jwks(self) -> bytes:
        """Give the key set to publish (RFC 7517 5), the same of every replica."""
        return self._now.jwks

    def sign(self, claims: Mapping[str, object], typ: str, now: float) -> bytes:
        """Sign claims with the key whose turn it is.

        Args:
            claims: Of JSON values; `exp` is at most `TOKEN_LIFE` seconds from now.
            typ: Type of the token, e.g. `at+jwt`.
            now: NumericDate.

        Raises:
            NoSigningKey: There is none.
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
        """Take a key out of use and out of the set; its tokens verify nowhere then.

        Returns:
            False where it is not known, or was killed before.
        """
        killed = self._control.kill_key(kid, now)
        self.refresh(now)
        return killed

    def refresh(self, now: float) -> None:
        """Do what is due now, and read what others did.

        Raises:
            EnvironmentRefused: Disk or database refuse; what was in use stays so.
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
        """Take the steps that are due, while no other process of the replica does."""
        control, folder = self._control, self._folder
        for lost in self._lost(control.keys(), now):
            if now < lost.signs_from:
                control.kill_key(lost.kid, now)
            else:
                # What it signed is to verify until it ends.
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
        """Choose the keys that this replica signs with, or will."""
        signing = (State.PREPARED, State.ACTIVE)
        return [
            key
            for key in keys
            if key.replica == self._folder.replica and state(key, keys, now) in signing
        ]

    def _lost(self, keys: tuple[SigningKey, ...], now: float) -> list[SigningKey]:
        """Find keys to sign with whose private half is not here."""
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
