"""Shorthand for policy statements."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from answerable.model.policy import ConditionClause, Effect, Statement
from answerable.model.provenance import Seen, WrittenBy

SEEN = Seen("aws:bench", "bench", WrittenBy.PLATFORM, 1)
ORG_SEEN = Seen("aws-org:bench", "bench", WrittenBy.PLATFORM, 1)
RESOURCES_SEEN = Seen("aws-resources:bench", "bench", WrittenBy.PLATFORM, 1)
ANYBODY = (("AWS", "*"),)
Words = str | Sequence[str]
Principals = tuple[tuple[str, str], ...]


def words(one_or_more: Words) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


def when(operator: str, key: str, *values: str) -> ConditionClause:
    return ConditionClause(operator, key, values)


def allow(
    actions: Words,
    resources: Words = (),
    *conditions: ConditionClause,
    to: Principals = (),
) -> Statement:
    return Statement(
        sid="0",
        effect=Effect.ALLOW,
        actions=words(actions),
        not_actions=(),
        resources=words(resources),
        not_resources=(),
        principals=to,
        not_principals=(),
        conditions=conditions,
    )


def deny(
    actions: Words,
    resources: Words = "*",
    *conditions: ConditionClause,
    to: Principals = (),
) -> Statement:
    allowed = allow(actions, resources, *conditions, to=to)
    return replace(allowed, effect=Effect.DENY)


def deny_all_but(actions: Words, *conditions: ConditionClause) -> Statement:
    """Deny with NotAction: everything but these."""
    return Statement(
        "0", Effect.DENY, (), words(actions), ("*",), (), (), (), conditions
    )


def deny_elsewhere(actions: Words, resources: Words) -> Statement:
    """Deny with NotResource: everywhere but there."""
    return Statement(
        "0", Effect.DENY, words(actions), (), (), words(resources), (), (), ()
    )


def allow_all_but(actions: Words) -> Statement:
    """Allow with NotAction: everything but these."""
    return Statement("0", Effect.ALLOW, (), words(actions), ("*",), (), (), (), ())


def root(account: str) -> tuple[str, str]:
    """Return the account principal."""
    return "AWS", f"arn:aws:iam::{account}:root"


def service(name: str) -> tuple[str, str]:
    return "Service", f"{name}.amazonaws.com"


def numbered(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Number statements like a reader of policies."""
    return tuple(
        one if one.sid == str(place) else replace(one, sid=str(place))
        for place, one in enumerate(statements)
    )
