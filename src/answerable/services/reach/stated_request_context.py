"""Parse the condition keys and policies that a permission query states."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from answerable.connectors.api_answer_file import read_answer_file
from answerable.connectors.formats.iam_policy import MAX_BYTES, parse_policy
from answerable.model.errors import ParseError, UsageError
from answerable.model.identity import Identity
from answerable.model.ids import PolicyId
from answerable.model.policy import Policy, PolicyLayer
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled.principal_element import parse_session_arn
from answerable.reach.aws.compiled.principal_matching import SESSION_NAME
from answerable.reach.aws.compiled.principals import is_role
from answerable.reach.aws.condition_keys.key_classification import (
    KeyKind,
    classify_key,
    list_classified_keys,
)
from answerable.reach.aws.condition_keys.value_types import check_value, get_value_type
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys

_HINT = 'expected {"Version": "2012-10-17", "Statement": [...]}, as AWS writes policies'


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
    def policies(self) -> tuple[Policy, ...]:
        """Policies that the query states; no snapshot contains them."""
        return tuple(policy for policy in (self.session, self.endpoint) if policy)


def parse_stated_context(
    facts: SightedFacts,
    context: Mapping[str, tuple[str, ...]] | None,
    session_policy: str,
    endpoint_policy: str,
    now: int,
) -> StatedContext:
    """Parse the condition keys and policies that a query states.

    Args:
        facts: Facts of the snapshot; condition keys in its policies are known keys.
        context: Condition keys with their values.
        session_policy: File with a policy document; empty for none.
        endpoint_policy: File with a policy document; empty for none.
        now: UTC nanoseconds.

    Raises:
        UsageError: A file is missing or holds no policy; or a key is unknown and close
            to a known one; or a value has the wrong type.
        EnvironmentFailure: A file cannot be read.
    """
    operators = _collect_policy_keys(facts) if context else {}
    for key, values in (context or {}).items():
        _require_known_key(key, operators)
        kind = get_value_type(key, operators.get(key.lower(), ()))
        for value in values:
            check_value(key, value, kind)
    keys = {key.lower(): values for key, values in (context or {}).items()}
    return StatedContext(
        ContextKeys(keys) if keys else NO_KEYS,
        _read_stated_policy(session_policy, PolicyLayer.SESSION, now)
        if session_policy
        else None,
        _read_stated_policy(endpoint_policy, PolicyLayer.ENDPOINT, now)
        if endpoint_policy
        else None,
    )


def parse_context_keys(
    pairs: Iterable[str], without: Iterable[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Parse `KEY=VALUE` pairs; a repeated key has several values.

    Args:
        without: Keys that the request does not carry.

    Raises:
        UsageError: A pair has no `=` or no key; or a key is both set and absent.
    """
    read: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(
                f"not a condition (got {pair[:80]!r}, expected KEY=VALUE)",
                "for example: aws:PrincipalTag/team=data (after --context on a command line)",
            )
        read[key] = (*read.get(key, ()), value)
    stated = {key.lower() for key in read}
    for key in without:
        if not key or "=" in key:
            raise UsageError(
                f"not a condition key (got {key[:80]!r}, expected KEY)",
                "for example: --without-context aws:SourceVpce",
            )
        if key.lower() in stated:
            raise UsageError(
                f"{key[:80]} is stated with a value and as absent",
                "leave out --context or --without-context for it",
            )
        read[key] = ()
    return read


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
    role = next((i for i in facts.identities if _is_role_named(i, account, name)), None)
    if role is None:
        return subject, context
    folded = {key.lower(): values for key, values in context.items()}
    if folded.get(SESSION_NAME, (called,)) != (called,):
        raise UsageError(
            f"the subject is the session {called!r}, and another one is stated",
            "leave out --context sts:RoleSessionName",
        )
    known = {"sts:RoleSessionName": (called,)}
    if role.unique_id and "aws:userid" not in folded:
        known["aws:userid"] = (f"{role.unique_id}:{called}",)
    return role.id, {**context, **known}


def _is_role_named(identity: Identity, account: str, name: str) -> bool:
    """Return whether an identity is the role of an account with this name."""
    here = identity.account == account and identity.name == name
    return here and is_role(identity)


def _require_known_key(key: str, known_keys: Container[str]) -> None:
    """Refuse a condition key that looks like a misspelling of a known one."""
    if classify_key(key).kind is not KeyKind.UNKNOWN or key.lower() in known_keys:
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


def _collect_policy_keys(facts: SightedFacts) -> dict[str, set[str]]:
    """Collect the condition keys of policies, each with its operators."""
    found: dict[str, set[str]] = defaultdict(set)
    for policy in facts.policies:
        for statement in policy.statements:
            for clause in statement.conditions:
                found[clause.key.lower()].add(clause.operator)
    return found


def _read_stated_policy(location: str, layer: PolicyLayer, now: int) -> Policy:
    """Read the file of `--session-policy` or `--endpoint-policy`."""
    return read_policy_file(location, layer, now, option=f"--{layer}-policy")


def read_policy_file(
    location: str, layer: PolicyLayer, now: int, *, option: str
) -> Policy:
    """Read one policy from a file; a statement that cannot be parsed is marked.

    Args:
        layer: Policy layer of the document.
        now: UTC nanoseconds.
        option: The option that named the file.

    Raises:
        UsageError: The file is missing, or holds no policy.
        EnvironmentFailure: It cannot be read.
    """
    what = f"the {layer} policy"
    document = read_answer_file(location, what, limit=MAX_BYTES)
    try:
        return parse_policy(
            document,
            layer,
            policy_id=PolicyId(location),
            name=location.rpartition("/")[2],
            provenance=FactProvenance(option, location, WrittenBy.PERSON, now),
        )
    except ParseError as error:
        raise UsageError(f"{error.message} (expected {what})", _HINT) from None
