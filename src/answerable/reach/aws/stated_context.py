"""Parse the condition keys and policies that a permission query states."""

from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from answerable.model.errors import UsageError
from answerable.model.identity import Identity
from answerable.model.policy import Policy
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled.principal_element import parse_session_arn
from answerable.reach.aws.compiled.principal_matching import SESSION_NAME
from answerable.reach.aws.compiled.principals import is_role
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.platform import Question


@dataclass(frozen=True, slots=True)
class StatedContext:
    """Condition keys and policies that a query states.

    Attributes:
        context: Condition keys of the request.
        session: Stated policy of the subject's own session, if any.
        endpoint: Stated policy of the VPC endpoint of the call, if any.
    """

    context: ContextKeys = NO_KEYS
    session: Policy | None = None
    endpoint: Policy | None = None

    @property
    def stated_policies(self) -> tuple[Policy, ...]:
        """Policies that the query states; no snapshot contains them."""
        return tuple(policy for policy in (self.session, self.endpoint) if policy)


def parse_stated_keys_and_policies(
    facts: SightedFacts, question: Question
) -> StatedContext:
    """Check the condition keys and policies that a question states.

    Args:
        facts: Facts of the snapshot; condition keys in its policies are known keys.

    Raises:
        UsageError: A key is unknown and close to a known one; or a value has the wrong
            type.
    """
    if question.context:
        _check_stated_keys(facts, question.context)
    keys = {key.lower(): values for key, values in question.context.items()}
    return StatedContext(
        ContextKeys(keys) if keys else NO_KEYS,
        question.session_policy,
        question.endpoint_policy,
    )


def _check_stated_keys(
    facts: SightedFacts, context: Mapping[str, tuple[str, ...]]
) -> None:
    """Check the name and the type of each stated condition key."""
    from answerable.reach.aws.condition_keys.value_types import (
        check_condition_key_value,
        get_condition_key_value_type,
    )

    operators = _collect_condition_keys_of_policies(facts)
    for key, values in context.items():
        _require_known_condition_key(key, operators)
        kind = get_condition_key_value_type(key, operators.get(key.lower(), ()))
        for value in values:
            check_condition_key_value(key, value, kind)


def resolve_role_session(
    facts: SightedFacts, subject: str, context: Mapping[str, tuple[str, ...]]
) -> tuple[str, Mapping[str, tuple[str, ...]]]:
    """Resolve the ARN of a role session to its role, and state the session name.

    Args:
        subject: Subject as the query names it.
        context: Condition keys that the query states.

    Returns:
        The role's id and the keys; unchanged if the subject is no session of a role in
        the snapshot.

    Raises:
        UsageError: A different session name is stated.
    """
    session = parse_session_arn(subject.strip())
    if session is None:
        return subject, context
    account, name, called = session
    roles = (
        each
        for each in facts.iterate_identities()
        if _is_role_named(each, account, name)
    )
    role = next(roles, None)
    if role is None:
        return subject, context
    folded = {key.lower(): values for key, values in context.items()}
    if folded.get(SESSION_NAME, (called,)) != (called,):
        raise UsageError(
            f"the subject is the session {called!r}, but --context names another "
            "session",
            "omit --context sts:RoleSessionName",
        )
    known = {"sts:RoleSessionName": (called,)}
    if role.unique_id and "aws:userid" not in folded:
        known["aws:userid"] = (f"{role.unique_id}:{called}",)
    return role.id, {**context, **known}


def _is_role_named(identity: Identity, account: str, name: str) -> bool:
    """Return whether an identity is the role of an account with this name."""
    here = identity.account == account and identity.name == name
    return here and is_role(identity)


def _require_known_condition_key(key: str, known_keys: Container[str]) -> None:
    """Refuse a condition key that looks like a misspelling of a known one."""
    from answerable.reach.aws.condition_keys.key_classification import (
        KeyKind,
        classify_condition_key,
        list_classified_keys,
    )

    if (
        classify_condition_key(key).kind is not KeyKind.UNKNOWN
        or key.lower() in known_keys
    ):
        return
    if ":" not in key:
        raise UsageError(
            f"not a condition key (got {key[:80]!r}, expected SERVICE:KEY)",
            f"did you mean aws:{key[:80]}?",
        )
    head, slash, tag = key.partition("/")
    service = f"{head.partition(':')[0].lower()}:"
    known = {
        n.partition("/")[0]
        for n, _ in list_classified_keys()
        if n.lower().startswith(service)
    }
    near = get_close_matches(head, sorted(known), n=1, cutoff=0.85)
    if near:
        raise UsageError(
            f"unknown condition key (got {key[:80]!r})",
            f"did you mean {near[0]}{slash}{tag}?",
        )


def _collect_condition_keys_of_policies(facts: SightedFacts) -> dict[str, set[str]]:
    """Collect the condition keys of policies, each with its operators."""
    found: dict[str, set[str]] = defaultdict(set)
    for policy in facts.iterate_policies():
        for statement in policy.statements:
            for clause in statement.conditions:
                found[clause.key.lower()].add(clause.operator)
    return found
