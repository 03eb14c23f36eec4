"""Signed statements about policy exceptions, and their validation.

Checks the shape of a statement: its type, claims, times and signer. Whether an
exception is in force now is decided by `enforce.signed`, which handles no signatures.
"""

from collections.abc import Mapping

from answerable.evidence import signed_statements
from answerable.evidence.signed_statements import Keys, StatementVoid
from answerable.model.approval_request import ASKABLE, Wanted
from answerable.model.owner_key import (
    OwnerKeyId,
    Placed,
    Statement,
    StatementType,
    Verified,
    Void,
)
from answerable.model.policy_exception import (
    ANY,
    BREAK_GLASS_LIFE,
    FOREVER,
    LONGEST,
    NO_ARGUMENTS,
    Signing,
)

_HEX = frozenset("0123456789abcdef")
_ACT = ("arguments", "decision", "name", "person", "server", "target")
_CLAIMS: Mapping[StatementType, tuple[str, ...]] = {
    StatementType.AMENDMENT: (*_ACT, "until"),
    StatementType.AMENDMENT_REFUSED: _ACT,
    StatementType.AMENDMENT_REVOKED: ("amendment", "person"),
    StatementType.BREAK_GLASS: tuple(sorted((*_ACT, "code", "until"))),
    StatementType.BREAK_GLASS_CONFIRMED: ("person", "start"),
}
_LIVES = {
    StatementType.AMENDMENT: LONGEST,
    StatementType.BREAK_GLASS: BREAK_GLASS_LIFE,
}


def statement(
    kind: StatementType,
    agent: str,
    claims: Mapping[str, str],
    signing: Signing,
    key: OwnerKeyId,
) -> Statement:
    """Build a statement about an agent's call or about another statement."""
    said = {**claims, "person": signing.person}
    listed = tuple(sorted(said.items()))
    return Statement(kind, agent, listed, signing.now, key, signing.store)


def act_claims(wanted: Wanted, *, decision: str, any_arguments: bool) -> dict[str, str]:
    """Encode a call as claims of a statement.

    Args:
        decision: Id of the decision that refused it, empty for none.
        any_arguments: Cover every argument list instead of the one that was refused.
    """
    return {
        "arguments": ANY if any_arguments else wanted.arguments or NO_ARGUMENTS,
        "decision": decision,
        "name": wanted.name,
        "server": wanted.server,
        "target": wanted.target.value,
    }


def verify(data: bytes, keys: Keys, placed: Placed, store: str) -> Verified:
    """Verify the signature and shape of a policy exception statement.

    Raises:
        StatementVoid: The statement is invalid; the error carries the reason.
    """
    found = signed_statements.verify(data, keys, placed, store)
    said = found.statement
    if _CLAIMS.get(said.type) != tuple(name for name, _ in said.claims):
        raise StatementVoid(Void.OTHER_TYPE, "the statement is no amendment", said)
    if said.claim("person") != found.key.person:
        raise StatementVoid(
            Void.OTHER_PERSON,
            f"the key {found.key.id} is {found.key.person}'s (expected one of whom "
            "the statement names)",
            said,
        )
    if "target" in dict(said.claims) and not _names_an_act(said):
        raise StatementVoid(
            Void.OTHER_TYPE, "the statement names nothing that can be amended", said
        )
    life = _LIVES.get(said.type)
    if life is not None and not _ends(said, life):
        raise StatementVoid(Void.EXPIRY, "the amendment does not end in time", said)
    return found


def _names_an_act(said: Statement) -> bool:
    arguments = said.claim("arguments")
    digest = len(arguments) == 64 and _HEX.issuperset(arguments)
    whole = bool(said.claim("server")) and said.subject.startswith("agent:")
    return whole and said.claim("target") in ASKABLE and (digest or arguments == ANY)


def _ends(said: Statement, life: int) -> bool:
    text = said.claim("until")
    if text == FOREVER:
        return said.type is StatementType.AMENDMENT
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        return False
    return said.signed_at < int(text) <= said.signed_at + life
