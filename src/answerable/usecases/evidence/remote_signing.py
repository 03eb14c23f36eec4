"""Prepare a statement for signing elsewhere, and accept the signed envelope.

A use case runs twice. With a `PendingSigner` key it builds the statement and stops before
anything is recorded; the person is shown that statement and signs it. With the
`SubmittedEnvelope` envelope it runs again, and accepts the signature only if it would build the
very same bytes. So each statement is built in one place, and only key, time and
signature come from the envelope.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from answerable.evidence import dsse, signed_statements
from answerable.model.errors import VerificationError
from answerable.model.owner_signing_key import (
    MAX_CLOCK_SKEW,
    OwnerKeyId,
    OwnerStatement,
)
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import StatementSigner
from answerable.services.statements.statements_in_force import SIGNED_KINDS
from answerable.store.store import EvidenceStore

SIGNING_WINDOW = 10 * 60 * 10**9  # nanoseconds to read and sign
_PREPARE_AGAIN = (
    "prepare the statement again and sign the new one; nothing was recorded"
)

ActResult = TypeVar("ActResult")


class UnsignedStatement(Exception):  # noqa: N818 - says what the statement is
    """Signal that carries a complete statement without a signature."""

    def __init__(self, statement: OwnerStatement) -> None:
        super().__init__(statement.type.value)
        self.statement = statement


@dataclass(frozen=True, slots=True)
class PendingSigner:
    """Signer with a key id and no key: it stops at the signature."""

    id: OwnerKeyId

    def signing_time(self, now: int) -> int:
        """Return the current time, UTC nanoseconds, as the time of signing."""
        return now

    def sign(self, statement: OwnerStatement) -> NoReturn:
        """Stop with the unsigned statement.

        Raises:
            Unsigned: Always.
        """
        raise UnsignedStatement(statement)


@dataclass(frozen=True, slots=True)
class SubmittedEnvelope:
    """Signer that returns an envelope signed elsewhere.

    Attributes:
        statement: Content of the envelope, not verified yet.
    """

    statement: OwnerStatement
    envelope: dsse.DsseEnvelope

    @property
    def id(self) -> OwnerKeyId:
        """Key id that the signed statement names."""
        return self.statement.key

    def signing_time(self, now: int) -> int:
        """Return the signing time of the statement.

        Raises:
            VerificationError: It is too old, or in the future.
        """
        signed_at = self.statement.signed_at
        if not now - SIGNING_WINDOW <= signed_at <= now + MAX_CLOCK_SKEW:
            raise VerificationError(
                "the statement was not prepared within the last "
                f"{SIGNING_WINDOW // (60 * 10**9)} minutes",
                _PREPARE_AGAIN,
            )
        return signed_at

    def sign(self, statement: OwnerStatement) -> bytes:
        """Return the envelope if it holds exactly this statement.

        Raises:
            VerificationError: It holds another statement.
        """
        if signed_statements.encode_payload(statement) != self.envelope.payload:
            raise VerificationError(
                "the signed statement differs from the one to record "
                f"({_list_differing_fields(statement, self.statement)} differ)",
                _PREPARE_AGAIN,
            )
        # Other content of the envelope is not signed.
        own = tuple(s for s in self.envelope.signatures if s.keyid in ("", self.id))[:1]
        kept = dsse.DsseEnvelope(
            signed_statements.PAYLOAD_TYPE, self.envelope.payload, own
        )
        return dsse.encode_envelope(kept)


def prepare_statement(
    act: Callable[[StatementSigner], object], key: OwnerKeyId
) -> OwnerStatement:
    """Run an act up to its signature, and return the unsigned statement.

    Args:
        act: Runs a use case with a signer.
        key: Key that will sign it.

    Raises:
        VerificationError: The key's person may not sign this.
    """
    try:
        act(PendingSigner(key))
    except UnsignedStatement as unsigned:
        return unsigned.statement
    raise RuntimeError("the statement was recorded without a signature")


def submit_statement(
    store: EvidenceStore,
    act: Callable[[StatementSigner], ActResult],
    envelope: bytes,
    now: int,
) -> ActResult:
    """Run an act with a statement that was signed elsewhere, and record it.

    Args:
        act: Runs a use case with a signer; the same as in `prepare_statement`.
        now: UTC nanoseconds.

    Raises:
        InvalidStatement: The envelope is malformed or invalid.
        VerificationError: It holds another statement than the act needs, is too old, or
            was recorded already. Nothing is recorded.
    """
    signed, said = signed_statements.decode_statement(envelope)
    if _is_statement_recorded(store, signed, now):
        raise VerificationError(
            "this statement is already recorded", "the statement was not recorded again"
        )
    return act(SubmittedEnvelope(said, signed))


def _is_statement_recorded(
    store: EvidenceStore, signed: dsse.DsseEnvelope, now: int
) -> bool:
    """Return whether a statement is in the log, in any envelope.

    Statements that are too old are refused for their age.
    """
    digest = signed_statements.hash_signed_payload(signed)
    recent = (
        each
        for kind in SIGNED_KINDS
        for each in store.list_objects(kind.kind)
        if each.at >= now - SIGNING_WINDOW - MAX_CLOCK_SKEW
    )
    return any(
        signed_statements.hash_signed_payload(
            dsse.decode_envelope(owner_keys.load_signed_statement(store, each.digest))
        )
        == digest
        for each in recent
    )


def _list_differing_fields(expected: OwnerStatement, submitted: OwnerStatement) -> str:
    """List the fields in which two statements differ, without their values."""
    fields = ("type", "subject", "signed_at", "key", "store")
    names = [f for f in fields if getattr(expected, f) != getattr(submitted, f)]
    said, heard = dict(expected.claims), dict(submitted.claims)
    names += sorted(name for name in said if said[name] != heard.get(name))
    names += ["claims"] if heard.keys() - said.keys() else []
    return ", ".join(names)
