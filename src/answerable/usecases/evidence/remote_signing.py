"""Remote signing: a statement is prepared here, signed elsewhere and submitted.

A use case runs twice. With a `Pending` key it builds the statement and stops before
anything is recorded; the person is shown that statement and signs it. With the
`Presented` envelope it runs again, and accepts the signature only if it would build the
very same bytes. So each statement is built in one place, and only key, time and
signature come from the envelope.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from answerable.evidence import dsse, signed_statements
from answerable.model.errors import VerificationError
from answerable.model.owner_key import SKEW, OwnerKeyId, Statement
from answerable.services.statements import (
    owner_keys,
    policy_exceptions,
    signed_baselines,
)
from answerable.services.statements.owner_keys import Signatory
from answerable.store.store import Store
from answerable.usecases.authorization import tool_pins

WITHIN = 10 * 60 * 10**9  # nanoseconds to read and sign
KINDS = (
    owner_keys.ATTESTATION,
    policy_exceptions.AMENDMENT,
    signed_baselines.SIGNED,
    tool_pins.APPROVAL,
)
_AGAIN = "prepare it again, and sign the new statement; nothing was recorded"

Told = TypeVar("Told")


class Unsigned(Exception):  # noqa: N818 - says what the statement is
    """Signal that carries a complete statement without a signature."""

    def __init__(self, said: Statement) -> None:
        super().__init__(said.type.value)
        self.statement = said


@dataclass(frozen=True, slots=True)
class Pending:
    """Signer with a key id and no key: it stops at the signature."""

    id: OwnerKeyId

    def at(self, now: int) -> int:
        """Return the current time."""
        return now

    def envelope(self, said: Statement) -> NoReturn:
        """Stop with the unsigned statement.

        Raises:
            Unsigned: Always.
        """
        raise Unsigned(said)


@dataclass(frozen=True, slots=True)
class Presented:
    """Signer that returns an envelope signed elsewhere.

    Attributes:
        statement: Content of the envelope, not verified yet.
    """

    statement: Statement
    signed: dsse.Envelope

    @property
    def id(self) -> OwnerKeyId:
        """Key id in the statement."""
        return self.statement.key

    def at(self, now: int) -> int:
        """Return the signing time of the statement.

        Raises:
            VerificationError: It is too old, or in the future.
        """
        signed_at = self.statement.signed_at
        if not now - WITHIN <= signed_at <= now + SKEW:
            raise VerificationError(
                "this was not put together within the last "
                f"{WITHIN // (60 * 10**9)} minutes",
                _AGAIN,
            )
        return signed_at

    def envelope(self, said: Statement) -> bytes:
        """Return the envelope if it holds exactly this statement.

        Raises:
            VerificationError: It holds another statement.
        """
        if signed_statements.payload(said) != self.signed.payload:
            raise VerificationError(
                "what was signed is not what would be recorded now "
                f"({_differing(said, self.statement)} differ)",
                _AGAIN,
            )
        # Other content of the envelope is not signed.
        own = tuple(s for s in self.signed.signatures if s.keyid in ("", self.id))[:1]
        kept = dsse.Envelope(signed_statements.PAYLOAD_TYPE, self.signed.payload, own)
        return dsse.encode(kept)


def prepare(act: Callable[[Signatory], object], key: OwnerKeyId) -> Statement:
    """Return the statement that an act needs signed; nothing is recorded.

    Args:
        act: Runs a use case with a signer.
        key: Key that will sign it.

    Raises:
        VerificationError: The key's person may not sign this.
    """
    try:
        act(Pending(key))
    except Unsigned as unsigned:
        return unsigned.statement
    raise RuntimeError("an act was recorded without a signature")


def submit(
    store: Store, act: Callable[[Signatory], Told], envelope: bytes, now: int
) -> Told:
    """Run an act with the statement that was signed for it, and record it.

    Args:
        act: Runs a use case with a signer; the same as in `prepare`.
        now: UTC nanoseconds.

    Raises:
        StatementVoid: The envelope is malformed or invalid.
        VerificationError: It holds another statement than the act needs, is too old, or
            was recorded already. Nothing is recorded.
    """
    signed, said = signed_statements.read(envelope)
    if _is_recorded(store, signed, now):
        raise VerificationError(
            "this statement is recorded already", "nothing was recorded again"
        )
    return act(Presented(said, signed))


def _is_recorded(store: Store, signed: dsse.Envelope, now: int) -> bool:
    """Return whether a statement is in the log, in any envelope.

    Statements that are too old are refused for their age.
    """
    digest = signed_statements.digest_of(signed)
    recent = (
        each
        for kind in KINDS
        for each in store.objects(kind)
        if each.at >= now - WITHIN - SKEW
    )
    return any(
        signed_statements.digest_of(dsse.decode(owner_keys.kept(store, each.digest)))
        == digest
        for each in recent
    )


def _differing(ours: Statement, theirs: Statement) -> str:
    """List the fields in which two statements differ, without their values."""
    fields = ("type", "subject", "signed_at", "key", "store")
    names = [f for f in fields if getattr(ours, f) != getattr(theirs, f)]
    said, heard = dict(ours.claims), dict(theirs.claims)
    names += sorted(name for name in said if said[name] != heard.get(name))
    names += ["claims"] if heard.keys() - said.keys() else []
    return ", ".join(names)
