"""Build and verify signed statements that grant or refuse policy exceptions.

Checks the shape of a statement: its type, claims, times and signer. Whether an
exception is in force now is decided by `authorization.exception_validity`, which handles no signatures.
"""

from answerable.evidence.signed_statements import StatementFault, StatementShape
from answerable.model.approval_request import APPROVABLE_TARGETS, ApprovalScope
from answerable.model.owner_signing_key import (
    OwnerStatement,
    StatementInvalidity,
    StatementType,
)
from answerable.model.policy_exception import (
    ANY_ARGUMENTS,
    BREAK_GLASS_LIFETIME,
    MAX_EXCEPTION_LIFETIME,
    NO_ARGUMENTS,
)

_HEX = frozenset("0123456789abcdef")
_CALL_CLAIMS = ("arguments", "decision", "name", "person", "server", "target")


def encode_call_claims(
    scope: ApprovalScope, *, decision: str, any_arguments: bool
) -> dict[str, str]:
    """Encode the call that a policy exception allows as signed claims.

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


def _find_incomplete_call_fault(statement: OwnerStatement) -> StatementFault | None:
    """Return the fault of a statement whose claims name a call incompletely."""
    if "target" not in dict(statement.claims) or _names_complete_call(statement):
        return None
    text = "the statement contains no call that an exception can allow"
    return StatementInvalidity.OTHER_TYPE, text


def _names_complete_call(statement: OwnerStatement) -> bool:
    """Return whether claims name agent, server, tool and arguments of a call."""
    arguments = statement.get_statement_claim("arguments")
    digest = len(arguments) == 64 and _HEX.issuperset(arguments)
    whole = bool(
        statement.get_statement_claim("server")
    ) and statement.subject.startswith("agent:")
    return (
        whole
        and statement.get_statement_claim("target") in APPROVABLE_TARGETS
        and (digest or arguments == ANY_ARGUMENTS)
    )


EXCEPTION_SHAPE = StatementShape(
    noun="amendment",
    claims={
        StatementType.AMENDMENT: (*_CALL_CLAIMS, "until"),
        StatementType.AMENDMENT_REFUSED: _CALL_CLAIMS,
        StatementType.AMENDMENT_REVOKED: ("amendment", "person"),
        StatementType.BREAK_GLASS: tuple(sorted((*_CALL_CLAIMS, "code", "until"))),
        StatementType.BREAK_GLASS_CONFIRMED: ("person", "start"),
    },
    expiry="until",
    lifetimes={
        StatementType.AMENDMENT: MAX_EXCEPTION_LIFETIME,
        StatementType.BREAK_GLASS: BREAK_GLASS_LIFETIME,
    },
    endless=StatementType.AMENDMENT,
    find_fault=_find_incomplete_call_fault,
)
