"""Convert KMS grants to policy statements, in addition to the key policy.

Source: AWS KMS Developer Guide, "Grants in AWS KMS"; API reference, CreateGrant. A
retired or expired grant is no longer listed.
"""

from collections.abc import Iterator

import msgspec

from answerable.connectors.aws_resources.parse.api_records import (
    GrantConstraints,
    KmsGrant,
)
from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    describe_decode_error,
)
from answerable.connectors.formats.redaction import make_printable_line
from answerable.model.policy import (
    ConditionClause,
    PolicyEffect,
    Statement,
    UnreadStatement,
)

# CreateGrant, "Constraints": an encryption context binds these and no others.
_CONSTRAINABLE_OPERATIONS = frozenset(
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


def parse_grant(
    raw: msgspec.Raw, key: str, position: int
) -> Iterator[Statement | UnreadStatement]:
    """Convert one entry of list-grants to statements.

    Args:
        raw: Undecoded entry.
        key: ARN of the key.
        position: Zero-based index; the sid if the grant's own id is unreadable.
    """
    try:
        grant = msgspec.json.decode(raw, type=KmsGrant)
    except DECODE_ERRORS as error:
        yield UnreadStatement(str(position), describe_decode_error(error))
        return
    sid = make_printable_line(grant.grant_id)
    grantee = _parse_grantee(grant.grantee_service_principal, grant.grantee_principal)
    if grantee is None:
        yield UnreadStatement(sid, "the grant has no grantee")
        return
    made = [_remove_wildcard_characters(name) for name in grant.operations]
    bound, free = _convert_constraints_to_conditions(grant.constraints)
    inside = tuple(f"kms:{name}" for name in made if name in _CONSTRAINABLE_OPERATIONS)
    outside = tuple(
        f"kms:{name}" for name in made if name not in _CONSTRAINABLE_OPERATIONS
    )
    if bound == free:
        inside, outside = inside + outside, ()
    if inside:
        yield _allow_statement(sid, inside, key, grantee, bound)
    if outside:
        apart = f"{sid}/unconstrained" if inside else sid
        yield _allow_statement(apart, outside, key, grantee, free)
    retiring = _parse_grantee(
        grant.retiring_service_principal, grant.retiring_principal
    )
    if retiring is not None:
        yield _allow_statement(
            f"{sid}/retiring", ("kms:RetireGrant",), key, retiring, ()
        )


def _allow_statement(
    sid: str,
    actions: tuple[str, ...],
    key: str,
    principal: tuple[str, str],
    conditions: tuple[ConditionClause, ...],
) -> Statement:
    """Build an Allow statement on one key for one principal."""
    return Statement(
        sid=sid,
        effect=PolicyEffect.ALLOW,
        actions=actions,
        not_actions=(),
        resources=(key,),
        not_resources=(),
        principals=(principal,),
        not_principals=(),
        conditions=conditions,
    )


def _remove_wildcard_characters(operation: str) -> str:
    """Return an operation's name without wildcards."""
    # Not a pattern: a grant names operations, and a star in one would be a lie.
    return make_printable_line(operation).replace("*", "").replace("?", "")


def _parse_grantee(service: str, principal: str) -> tuple[str, str] | None:
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


def _convert_constraints_to_conditions(
    constraints: GrantConstraints | None,
) -> tuple[tuple[ConditionClause, ...], tuple[ConditionClause, ...]]:
    """Build conditions for operations with and without encryption context."""
    if constraints is None:
        return (), ()
    always: tuple[ConditionClause, ...] = ()
    if constraints.source_arn:
        always = (
            ConditionClause("ArnLike", "aws:SourceArn", (constraints.source_arn,)),
        )
    equals = constraints.encryption_context_equals
    pairs = {**constraints.encryption_context_subset, **(equals or {})}
    context = [
        ConditionClause(
            "StringEquals",
            f"kms:EncryptionContext:{name}",
            (_escape_policy_variables(value),),
        )
        for name, value in sorted(pairs.items())
    ]
    if equals is not None:
        names = tuple(_escape_policy_variables(name) for name in sorted(equals))
        only = "ForAllValues:StringEquals"
        context.append(ConditionClause(only, "kms:EncryptionContextKeys", names))
    return (*context, *always), always


def _escape_policy_variables(value: str) -> str:
    """Escape `${` in a literal value, which is not a policy variable."""
    return value.replace("${", "${$}{")  # a grant knows no policy variables
