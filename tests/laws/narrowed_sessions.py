"""Law of narrowed sessions, on generated accounts: within the parent and the policy.

Each case draws an account in which the agent's role may chain into others and sessions
have grants of their own, and a session policy: one that is exported from a drawn profile,
or one that is drawn. A second matcher, not the engine, says what the policy contains.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from answerable.baseline.policy_export.statement_matching import (
    find_matching_patterns,
    matches_action,
)
from answerable.connectors.formats.iam_policy import parse_policy
from answerable.model.baseline import (
    BaselineProfile,
    BaselineSubject,
    CapabilityEntry,
    EntityEntry,
    EntityPattern,
    GeneralisationLevel,
    ObservationCounts,
)
from answerable.model.behaviour import EntityKind
from answerable.model.ids import IdentityId, PolicyId
from answerable.model.inventory import Inventory
from answerable.model.policy import Policy, PolicyEffect, PolicyLayer, Statement
from answerable.model.policy_export import ExportTarget
from answerable.reach.aws.permission_check import evaluate_call
from answerable.reach.aws.query_context import QueryContext, require_assume_role_paths
from answerable.reach.condition_formula import Verdict
from answerable.reach.platform import Question, SubjectIdentity
from answerable.services.baseline.policy_export import export_profiles
from answerable.services.reach.platform_registry import AWS
from tests.reach.account_builder import (
    SEEN,
    SEEN_AT,
    A,
    AccountBuilder,
    role,
    stated_policy,
    statement,
)

NOW = SEEN_AT * 10**9
SUBJECT, NEXT, ADMIN = role("agent"), role("next"), role("admin")
SESSION = f"arn:aws:sts::{A}:assumed-role/agent/run"
BUCKET, QUEUE = "arn:aws:s3:::in", f"arn:aws:sqs:eu-central-1:{A}:q"
CALLS = [
    *(("s3:GetObject", f"{BUCKET}/{name}") for name in "ab"),
    *(("s3:PutObject", f"{BUCKET}/{name}") for name in "ab"),
    ("s3:ListBucket", BUCKET),
    ("sqs:SendMessage", QUEUE),
    ("sqs:ReceiveMessage", QUEUE),
]
CHAINS = [("sts:AssumeRole", NEXT), ("sts:AssumeRole", ADMIN)]
ACTIONS = ["*", "s3:*", "s3:Get*", "s3:PutObject", "sqs:*", "sts:AssumeRole", "sts:*"]
RESOURCES = ["*", f"{BUCKET}/*", f"{BUCKET}/a", BUCKET, QUEUE, NEXT, ADMIN]
MAX_SIZE = 2048  # characters of a session policy
_RANK = {Verdict.NEVER: 0, Verdict.NOT_KNOWN: 1, Verdict.ONLY_IF: 2, Verdict.ALWAYS: 3}
_COUNTS = ObservationCounts(1, 1, 1)
Call = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SessionCase:
    """Generated account with a session policy.

    Attributes:
        granted: Calls that a policy of a resource grants to the session itself.
        exported: Calls of the profile that the policy was exported from; None for a
            policy that was drawn.
    """

    inventory: Inventory
    policy: Policy
    granted: frozenset[Call]
    exported: frozenset[Call] | None


@dataclass
class LawResult:
    """Counts of a run: cases, and comparisons by what they were about."""

    cases: int = 0
    compared: Counter[str] = field(default_factory=Counter)


class SessionLawError(AssertionError):
    """A narrowed session reaches what the law excludes."""


def _draw_statement(random: Random, effect: str = "Allow") -> Statement:
    return statement(
        "s",
        effect=effect,
        action=random.sample(ACTIONS, random.randint(1, 2)),
        resource=random.sample(RESOURCES, random.randint(1, 3)),
        condition=random.choice(
            [
                None,
                None,
                None,
                {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}},
            ]
        ),
    )


def _draw_statements(random: Random) -> list[Statement]:
    found = [_draw_statement(random) for _ in range(random.randint(1, 3))]
    if random.random() < 0.3:
        found.append(_draw_statement(random, "Deny"))
    return found


def _draw_account(random: Random, granted: Iterable[Call]) -> Inventory:
    """Draw an account; the trust of the next role may name the session itself."""
    made = AccountBuilder()
    named = set(granted)
    for arn in (SUBJECT, NEXT, ADMIN):
        made.identity(arn)
        trusted = [SUBJECT] if random.random() < 0.7 else [NEXT]
        if ("sts:AssumeRole", arn) in named:
            trusted.append(SESSION)
        trust = statement("t", action="sts:AssumeRole", principal={"AWS": trusted})
        made.policy(arn, "trust", trust, policy=f"{arn}#trust")
    made.policy(SUBJECT, "identity", *_draw_statements(random))
    made.policy(NEXT, "identity", *_draw_statements(random))
    made.policy(ADMIN, "identity", statement("a", action="*", resource="*"))
    for target, kind in ((BUCKET, "s3-bucket"), (QUEUE, "sqs-queue")):
        made.resource(target, kind, A)
        grants = [
            statement("g", action=action, resource=name, principal={"AWS": SESSION})
            for action, name in sorted(named)
            if name.startswith(target)
        ]
        if random.random() < 0.3:
            wide = {"AWS": random.choice([SUBJECT, NEXT, f"arn:aws:iam::{A}:root"])}
            grants.append(
                statement("w", action="s3:GetObject", resource="*", principal=wide)
            )
        if grants:
            made.policy(target, "resource", *grants)
    return made.inventory()


def _export_policy(calls: Iterable[Call]) -> Policy:
    """Export the session policy of a profile with these calls, not signed."""
    profile = BaselineProfile(
        BaselineSubject(SUBJECT, "agent:declared/agent", "cloud"),
        capabilities=tuple(
            CapabilityEntry(f"cloud/{name}", "", False, _COUNTS)
            for name in sorted({action for action, _ in calls})
        ),
        entities=tuple(
            EntityEntry(
                f"cloud/{action}",
                "resource",
                EntityPattern(EntityKind.ARN, GeneralisationLevel.EXACT, name),
                False,
                True,
                _COUNTS,
            )
            for action, name in sorted(calls)
        ),
    )
    found = export_profiles([profile], ExportTarget.AWS_SESSION_POLICY)
    if not found.documents:  # nothing but AssumeRole
        return stated_policy("session")
    (document,) = found.documents
    if len(document.text) > MAX_SIZE:
        raise SessionLawError(f"{len(document.text)} characters")
    return parse_policy(
        document.text,
        PolicyLayer.SESSION,
        policy_id=PolicyId("session"),
        name="session",
        provenance=SEEN,
    )


def draw_case(random: Random) -> SessionCase:
    """Draw one account and session policy."""
    pool = [*CALLS, *CHAINS]
    granted = frozenset(
        random.sample(pool, random.randint(1, 2)) if random.random() < 0.4 else ()
    )
    inventory = _draw_account(random, granted)
    if random.random() < 0.5:
        calls = frozenset(random.sample(pool, random.randint(1, 5)))
        return SessionCase(inventory, _export_policy(calls), granted, calls)
    policy = stated_policy("session", *_draw_statements(random))
    return SessionCase(inventory, policy, granted, None)


def _open_query(
    case: SessionCase, policy: Policy | None
) -> tuple[QueryContext, Question]:
    """Compile the account for the session, narrowed by a policy or not."""
    subject, context = AWS.parse_session(case.inventory, SESSION, {})
    question = Question(NOW, subject=subject, context=context, session_policy=policy)
    services = ("s3", "sqs", "sts")
    query = AWS.build_permission_query(
        case.inventory, question, services, compile_all=True
    )
    require_assume_role_paths(query)
    return query, question


def _evaluate(
    opened: tuple[QueryContext, Question], call: Call, *, direct: bool
) -> Verdict:
    query, question = opened
    start = SubjectIdentity(SUBJECT, IdentityId(SUBJECT))
    asked = replace(
        question,
        action=call[0],
        resource=call[1],
        identities=(start,),
        direct=direct,
    )
    return evaluate_call(replace(query, direct=direct), asked).verdict


def _evaluate_roles(case: SessionCase, call: Call) -> dict[str, Verdict]:
    """Evaluate a call of each next role itself, without any session."""
    found = {}
    for target in (NEXT, ADMIN):
        subject, context = AWS.parse_session(case.inventory, target, {})
        start = SubjectIdentity(target, IdentityId(target))
        question = Question(
            NOW,
            subject=subject,
            context=context,
            action=call[0],
            resource=call[1],
            identities=(start,),
            direct=True,
        )
        services = ("s3", "sqs", "sts")
        query = AWS.build_permission_query(
            case.inventory, question, services, compile_all=True
        )
        found[target] = evaluate_call(replace(query, direct=True), question).verdict
    return found


def list_effects(statements: Sequence[Statement], call: Call) -> set[PolicyEffect]:
    """List the effects of the statements about a call, whatever their conditions."""
    return {
        each.effect
        for each in statements
        if matches_action(each, call[0]) and find_matching_patterns(each, call[1])
    }


def check_case(case: SessionCase, result: LawResult) -> None:
    """Compare every call of the case.

    Raises:
        SessionLawError: The session reaches more than its parent or its policy, or
            less than what both allow.
    """
    parent, narrowed = _open_query(case, None), _open_query(case, case.policy)
    statements = case.policy.statements
    chains = {
        call
        for call in CHAINS
        if call in case.granted or PolicyEffect.ALLOW in list_effects(statements, call)
    }
    result.cases += 1
    # The session policy does not bind the roles that the session chains into.
    assumed = {
        target
        for action, target in CHAINS
        if _evaluate(narrowed, (action, target), direct=True) is Verdict.ALWAYS
    }
    for call in (*CALLS, *CHAINS):
        effects = list_effects(statements, call)
        is_held = PolicyEffect.ALLOW in effects
        found = {
            (side, direct): _RANK[_evaluate(opened, call, direct=direct)]
            for side, opened in (("parent", parent), ("narrowed", narrowed))
            for direct in (True, False)
        }
        own, whole = found["narrowed", True], found["narrowed", False]
        result.compared["calls"] += 1
        _require(own <= found["parent", True], case, call, "beyond its parent")
        _require(
            whole <= found["parent", False], case, call, "beyond its parent's paths"
        )
        is_granted = call in case.granted
        _require(own == 0 or is_held or is_granted, case, call, "beyond its policy")
        is_way = own > 0 or bool(chains)
        _require(whole == 0 or is_way, case, call, "by a way that is not named")
        roles = _evaluate_roles(case, call) if assumed else {}
        for target in sorted(assumed):
            result.compared["calls of a next role"] += 1
            _require(
                whole >= _RANK[roles[target]], case, call, f"less than {target} itself"
            )
        if own == 0 and whole > 0:
            result.compared["reached by role chaining"] += 1
        if own > 0 and not is_held:
            result.compared["reached by a grant to the session"] += 1
        if own == 0 and found["parent", True] > 0:
            result.compared["taken from the parent"] += 1
        is_denied = PolicyEffect.DENY in effects
        if is_denied and _is_plain(statements):
            _require(own == 0, case, call, "a denied call")
        is_whole = is_granted or (is_held and _is_plain(statements))
        if is_whole and not is_denied:
            # Nothing narrows: what both allow stays, and so does a grant to the session.
            result.compared["kept"] += 1
            _require(own == found["parent", True], case, call, "less than is allowed")
        if case.exported is not None:
            _require(
                not is_held or call in case.exported, case, call, "beyond the profile"
            )
            is_chain = call in CHAINS
            _require(not (is_chain and is_held), case, call, "an unsigned AssumeRole")
            if not case.granted:
                _require(whole == 0 or is_held, case, call, "beyond an exported policy")


def _is_plain(statements: Sequence[Statement]) -> bool:
    """Return whether no statement has a condition."""
    return not any(each.conditions for each in statements)


def _require(holds: bool, case: SessionCase, call: Call, why: str) -> None:
    if not holds:
        text = [
            (s.effect.value, s.actions, s.resources) for s in case.policy.statements
        ]
        raise SessionLawError(f"{call[0]} on {call[1]}: {why}; session policy {text}")


def run(cases: int, seed: int) -> LawResult:
    """Check the law on that many generated cases.

    Raises:
        SessionLawError: It does not hold.
    """
    random, result = Random(seed), LawResult()  # noqa: S311 - a seed of tests
    for _ in range(cases):
        check_case(draw_case(random), result)
    return result
