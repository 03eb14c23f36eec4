"""KMS grants, converted to statements of a policy in addition to the key policy.

Source: AWS KMS Developer Guide, "Grants in AWS KMS"; API reference, CreateGrant. A
retired or expired grant is no longer listed.
"""

from collections.abc import Iterator

import msgspec

from answerable.connectors.aws_resources.parse.api_records import Constraints, Grant
from answerable.connectors.formats.aws_api_answers import UNREADABLE, why_invalid
from answerable.connectors.formats.redaction import clean
from answerable.model.policy import (
    ConditionClause,
    Effect,
    Statement,
    UnreadStatement,
)

# CreateGrant, "Constraints": an encryption context binds these and no others.
_CONSTRAINED = frozenset(
    [
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    ]
)


def grant_statements(
    raw: msgspec.Raw, key: str, position: int
) -> Iterator[Statement | UnreadStatement]:
    """Parse one entry of list-grants.

    Args:
        raw: Undecoded entry.
        key: ARN of the key.
        position: Zero-based index; the sid if the grant's own id is unreadable.
    """
    try:
        grant = msgspec.json.decode(raw, type=Grant)
    except UNREADABLE as error:
        yield UnreadStatement(str(position), why_invalid(error))
        return
    sid = clean(grant.grant_id)
    grantee = _principal(grant.grantee_service_principal, grant.grantee_principal)
    if grantee is None:
        yield UnreadStatement(sid, "the grant names no grantee")
        return
    made = [_made(name) for name in grant.operations]
    bound, free = _conditions(grant.constraints)
    inside = tuple(f"kms:{name}" for name in made if name in _CONSTRAINED)
    outside = tuple(f"kms:{name}" for name in made if name not in _CONSTRAINED)
    if bound == free:
        inside, outside = inside + outside, ()
    if inside:
        yield _allow(sid, inside, key, grantee, bound)
    if outside:
        apart = f"{sid}/unconstrained" if inside else sid
        yield _allow(apart, outside, key, grantee, free)
    retiring = _principal(grant.retiring_service_principal, grant.retiring_principal)
    if retiring is not None:
        yield _allow(f"{sid}/retiring", ("kms:RetireGrant",), key, retiring, ())


def _allow(
    sid: str,
    actions: tuple[str, ...],
    key: str,
    principal: tuple[str, str],
    conditions: tuple[ConditionClause, ...],
) -> Statement:
    return Statement(
        sid=sid,
        effect=Effect.ALLOW,
        actions=actions,
        not_actions=(),
        resources=(key,),
        not_resources=(),
        principals=(principal,),
        not_principals=(),
        conditions=conditions,
    )


def _made(operation: str) -> str:
    # Not a pattern: a grant names operations, and a star in one would be a lie.
    return clean(operation).replace("*", "").replace("?", "")


def _principal(service: str, principal: str) -> tuple[str, str] | None:
    """Parse the grantee; services also appear in the principal field."""
    if service:
        return ("Service", service)
    if not principal or "*" in principal:
        return None
    if not principal.startswith("arn:") and principal.endswith(
        (".amazonaws.com", ".amazonaws.com.cn")
    ):
        return ("Service", principal)
    return ("AWS", principal)


def _conditions(
    given: Constraints | None,
) -> tuple[tuple[ConditionClause, ...], tuple[ConditionClause, ...]]:
    """Build the conditions for operations with and without an encryption context."""
    if given is None:
        return (), ()
    always: tuple[ConditionClause, ...] = ()
    if given.source_arn:
        always = (ConditionClause("ArnLike", "aws:SourceArn", (given.source_arn,)),)
    equals = given.encryption_context_equals
    pairs = {**given.encryption_context_subset, **(equals or {})}
    context = [
        ConditionClause(
            "StringEquals", f"kms:EncryptionContext:{name}", (_plain(value),)
        )
        for name, value in sorted(pairs.items())
    ]
    if equals is not None:
        names = tuple(_plain(name) for name in sorted(equals))
        only = "ForAllValues:StringEquals"
        context.append(ConditionClause(only, "kms:EncryptionContextKeys", names))
    return (*context, *always), always


def _plain(value: str) -> str:
    return value.replace("${", "${$}{")  # a grant knows no policy variables
