"""Shorthand for policy statements."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from answerable.model.policy import ConditionClause, PolicyEffect, Statement
from answerable.model.provenance import FactProvenance, WrittenBy

SEEN = FactProvenance("aws:bench", "bench", WrittenBy.PLATFORM, 1)
ORG_SEEN = FactProvenance("aws-org:bench", "bench", WrittenBy.PLATFORM, 1)
RESOURCES_SEEN = FactProvenance("aws-resources:bench", "bench", WrittenBy.PLATFORM, 1)
ANY_PRINCIPAL = (("AWS", "*"),)
TextOrTexts = str | Sequence[str]
Principals = tuple[tuple[str, str], ...]


def as_tuple(one_or_more: TextOrTexts) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


def condition(operator: str, key: str, *values: str) -> ConditionClause:
    return ConditionClause(operator, key, values)


def allow(
    actions: TextOrTexts,
    resources: TextOrTexts = (),
    *conditions: ConditionClause,
    to: Principals = (),
) -> Statement:
    return Statement(
        sid="0",
        effect=PolicyEffect.ALLOW,
        actions=as_tuple(actions),
        not_actions=(),
        resources=as_tuple(resources),
        not_resources=(),
        principals=to,
        not_principals=(),
        conditions=conditions,
    )


def deny(
    actions: TextOrTexts,
    resources: TextOrTexts = "*",
    *conditions: ConditionClause,
    to: Principals = (),
) -> Statement:
    allowed = allow(actions, resources, *conditions, to=to)
    return replace(allowed, effect=PolicyEffect.DENY)


def deny_not_action(actions: TextOrTexts, *conditions: ConditionClause) -> Statement:
    """Deny with NotAction: everything but these."""
    return Statement(
        "0", PolicyEffect.DENY, (), as_tuple(actions), ("*",), (), (), (), conditions
    )


def deny_not_resource(actions: TextOrTexts, resources: TextOrTexts) -> Statement:
    """Deny with NotResource: everywhere but there."""
    return Statement(
        "0",
        PolicyEffect.DENY,
        as_tuple(actions),
        (),
        (),
        as_tuple(resources),
        (),
        (),
        (),
    )


def allow_not_action(actions: TextOrTexts) -> Statement:
    """Allow with NotAction: everything but these."""
    return Statement(
        "0", PolicyEffect.ALLOW, (), as_tuple(actions), ("*",), (), (), (), ()
    )


def account_principal(account: str) -> tuple[str, str]:
    """Return the account principal."""
    return "AWS", f"arn:aws:iam::{account}:root"


def service_principal(name: str) -> tuple[str, str]:
    return "Service", f"{name}.amazonaws.com"


def number_statements(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Number statements like a reader of policies."""
    return tuple(
        one if one.sid == str(place) else replace(one, sid=str(place))
        for place, one in enumerate(statements)
    )
