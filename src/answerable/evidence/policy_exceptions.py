"""Build and verify signed statements that grant or refuse policy exceptions.

Checks the shape of a statement: its type, claims, times and signer. Whether an
exception is in force now is decided by `authorization.exception_validity`, which handles no signatures.
"""

from collections.abc import Mapping

from answerable.evidence import signed_statements
from answerable.evidence.signed_statements import InvalidStatement, OwnerKeys
from answerable.model.approval_request import APPROVABLE_TARGETS, ApprovalScope
from answerable.model.owner_signing_key import (
    LogPosition,
    OwnerKeyId,
    OwnerStatement,
    StatementInvalidity,
    StatementType,
    VerifiedStatement,
)
from answerable.model.policy_exception import (
    ANY_ARGUMENTS,
    BREAK_GLASS_LIFETIME,
    MAX_EXCEPTION_LIFETIME,
    NO_ARGUMENTS,
    NO_EXPIRY,
    SignatureContext,
)

_HEX = frozenset("0123456789abcdef")
_CALL_CLAIMS = ("arguments", "decision", "name", "person", "server", "target")
_CLAIMS: Mapping[StatementType, tuple[str, ...]] = {
    StatementType.AMENDMENT: (*_CALL_CLAIMS, "until"),
    StatementType.AMENDMENT_REFUSED: _CALL_CLAIMS,
    StatementType.AMENDMENT_REVOKED: ("amendment", "person"),
    StatementType.BREAK_GLASS: tuple(sorted((*_CALL_CLAIMS, "code", "until"))),
    StatementType.BREAK_GLASS_CONFIRMED: ("person", "start"),
}
_MAX_LIFETIMES = {
    StatementType.AMENDMENT: MAX_EXCEPTION_LIFETIME,
    StatementType.BREAK_GLASS: BREAK_GLASS_LIFETIME,
}


def build_exception_statement(
    kind: StatementType,
    agent: str,
    claims: Mapping[str, str],
    context: SignatureContext,
    key: OwnerKeyId,
) -> OwnerStatement:
    """Build a statement that grants, refuses or revokes an exception."""
    said = {**claims, "person": context.person}
    listed = tuple(sorted(said.items()))
    return OwnerStatement(kind, agent, listed, context.now, key, context.store)


def encode_call_claims(
    scope: ApprovalScope, *, decision: str, any_arguments: bool
) -> dict[str, str]:
    """Encode the allowed call as claims of a statement.

    Args:
        decision: Id of the decision that refused it, empty for none.
        any_arguments: Cover every argument list instead of the one that was refused.
    """
    return {
        "arguments": ANY_ARGUMENTS
        if any_arguments
        else scope.arguments or NO_ARGUMENTS,
        "decision": decision,
        "name": scope.name,
        "server": scope.server,
        "target": scope.target.value,
    }


def verify_exception(
    data: bytes, keys: OwnerKeys, position: LogPosition, store: str
) -> VerifiedStatement:
    """Verify the signature and shape of a policy exception statement.

    Raises:
        InvalidStatement: The statement is invalid; the error carries the reason.
    """
    found = signed_statements.verify_statement(data, keys, position, store)
    said = found.statement
    if _CLAIMS.get(said.type) != tuple(name for name, _ in said.claims):
        raise InvalidStatement(
            StatementInvalidity.OTHER_TYPE, "the statement is no amendment", said
        )
    if said.get_claim("person") != found.key.person:
        raise InvalidStatement(
            StatementInvalidity.OTHER_PERSON,
            f"the key {found.key.id} is {found.key.person}'s (expected one of whom "
            "the statement names)",
            said,
        )
    if "target" in dict(said.claims) and not _names_a_call(said):
        raise InvalidStatement(
            StatementInvalidity.OTHER_TYPE,
            "the statement names nothing that can be amended",
            said,
        )
    life = _MAX_LIFETIMES.get(said.type)
    if life is not None and not _has_valid_expiry(said, life):
        raise InvalidStatement(
            StatementInvalidity.EXPIRY, "the amendment does not end in time", said
        )
    return found


def _names_a_call(statement: OwnerStatement) -> bool:
    """Return whether the claims name a complete call."""
    arguments = statement.get_claim("arguments")
    digest = len(arguments) == 64 and _HEX.issuperset(arguments)
    whole = bool(statement.get_claim("server")) and statement.subject.startswith(
        "agent:"
    )
    return (
        whole
        and statement.get_claim("target") in APPROVABLE_TARGETS
        and (digest or arguments == ANY_ARGUMENTS)
    )


def _has_valid_expiry(statement: OwnerStatement, max_lifetime: int) -> bool:
    """Return whether the expiry is after signing and within the maximum."""
    text = statement.get_claim("until")
    if text == NO_EXPIRY:
        return statement.type is StatementType.AMENDMENT
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        return False
    return statement.signed_at < int(text) <= statement.signed_at + max_lifetime
