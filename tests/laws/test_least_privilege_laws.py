"""Laws of least privilege on generated accounts: within today, and no call is lost.

The statements that a role has today, a session grant of a bucket and the calls of the log
are drawn; evaluation of the whole account judges the policy, not the code that made it.
"""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.baseline.policy_export.aws_policy import compile_aws_policy
from answerable.baseline.policy_export.least_privilege import LeastPrivilegeCompiler
from answerable.baseline.policy_export.statement_matching import (
    find_matching_patterns,
    matches_action,
)
from answerable.model.observed_action import ObservedAction
from answerable.model.policy import PolicyEffect, Statement
from answerable.model.policy_export import ExportTarget
from answerable.services.reach.replaced_policies import HOLDS, ReplacedPolicies
from tests.reach.account_builder import (
    SEEN_AT,
    A,
    AccountBuilder,
    catalogue,
    role,
    statement,
)

NOW = SEEN_AT * 10**9
SUBJECT, OTHER, ADMIN = role("agent"), role("other"), role("admin")
NAMES = ["arn:aws:s3:::in/a", "arn:aws:s3:::in/b", "arn:aws:s3:::out/a"]
CALLS = {
    "s3:GetObject": NAMES,
    "s3:PutObject": NAMES,
    "s3:ListBucket": ["arn:aws:s3:::in", "arn:aws:s3:::out"],
    "sqs:SendMessage": [f"arn:aws:sqs:eu-central-1:{A}:q"],
    "sts:AssumeRole": [OTHER, ADMIN],
    "iam:PassRole": [OTHER],
    "ec2:DescribeInstances": [],
}
ACTIONS = ["*", "s3:*", "s3:Get*", "s3:PutObject", "sqs:*", "sts:*", "iam:PassRole"]
ACTIONS += ["ec2:*", "s3:ListBucket"]
PATTERNS = ["*", "arn:aws:s3:::*", "arn:aws:s3:::in/*", "arn:aws:s3:::out/a"]
PATTERNS += [
    f"arn:aws:sqs:*:{A}:*",
    OTHER,
    "arn:aws:s3:::in",
    f"arn:aws:iam::{A}:role/*",
]
PATTERNS += ["arn:aws:s3:::${aws:username}/a", "arn:aws:s3:::in/?"]
REGION = {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}
SECURE = {"Bool": {"aws:SecureTransport": "true"}}
some_actions = st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3, unique=True)
some_patterns = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3, unique=True)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    """A statement of an identity policy, of any effect."""
    parts: dict[str, object] = {}
    parts[draw(st.sampled_from(["action", "action", "not_action"]))] = draw(
        some_actions
    )
    parts[draw(st.sampled_from(["resource", "resource", "not_resource"]))] = draw(
        some_patterns
    )
    parts["effect"] = draw(st.sampled_from(["Allow", "Allow", "Allow", "Deny"]))
    parts["condition"] = draw(st.sampled_from([None, None, REGION, SECURE]))
    return statement("s", **parts)  # type: ignore[arg-type]


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, frozenset[str]]:
    """A call of the log: its action, and the resources that the log names."""
    action = draw(st.sampled_from(sorted(CALLS)))
    named = CALLS[action]
    if not named or draw(st.integers(0, 4)) == 0:
        return action, frozenset()
    return action, frozenset({draw(st.sampled_from(named))})


def observe(log: Iterable[tuple[str, frozenset[str]]]) -> list[ObservedAction]:
    sets: dict[str, set[frozenset[str]]] = {}
    for action, named in log:
        sets.setdefault(action, set()).add(named)
    return [
        ObservedAction(action, frozenset(found), len(found), NOW)
        for action, found in sorted(sets.items())
    ]


def account(today: Iterable[Statement]) -> AccountBuilder:
    """An account in which the agent's role may chain, and a session has a grant."""
    made = AccountBuilder()
    for arn in (SUBJECT, OTHER, ADMIN):
        made.identity(arn)
        made.policy(
            arn,
            "trust",
            statement(
                "t", action="sts:AssumeRole", principal={"AWS": [SUBJECT, OTHER]}
            ),
            policy=f"{arn}#trust",
        )
    made.policy(SUBJECT, "identity", *today)
    made.policy(OTHER, "identity", statement("o", action="sqs:*", resource="*"))
    made.policy(ADMIN, "identity", statement("a", action="*", resource="*"))
    bucket = made.resource("arn:aws:s3:::in", "s3-bucket", A)
    session = SUBJECT.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    made.policy(
        bucket,
        "resource",
        statement(
            "g",
            action="s3:GetObject",
            resource="arn:aws:s3:::in/*",
            principal={"AWS": [f"{session}/run", OTHER]},
        ),
    )
    return made


WITHIN_TODAY = (
    st.lists(statements(), min_size=1, max_size=4),
    st.lists(calls(), min_size=1),
)
ONE_MORE_CALL = (
    st.none() | st.lists(statements(), min_size=1, max_size=4),
    st.lists(calls(), min_size=1),
    calls(),
)


@given(*WITHIN_TODAY)
@settings(max_examples=60, deadline=None)
def test_the_policy_is_within_today_and_keeps_every_observed_call(today, log) -> None:
    hold_within_today(today, log)


def hold_within_today(today, log) -> None:
    """Hold that the policy is within today, and that no observed call is lost."""
    observed = observe(log)
    compiler = LeastPrivilegeCompiler(catalogue(), today)
    policy = compile_aws_policy(
        compiler.list_statements(observed), ExportTarget.AWS_POLICY
    )
    if not policy.documents:  # today allows none of the calls
        return
    replaced = ReplacedPolicies.build(
        account(today).inventory(),
        SUBJECT,
        [each.text for each in policy.documents],
        (),
        NOW,
    )
    assert replaced.prove_observed(observed).verdict == HOLDS
    subset = replaced.prove_subset()
    assert subset.verdict == HOLDS, subset.details


@given(*ONE_MORE_CALL)
@settings(max_examples=150, deadline=None)
def test_one_more_call_never_shrinks_the_policy(today, log, one) -> None:
    hold_growth(today, log, one)


def hold_growth(today, log, one) -> None:
    """Hold that one more call never shrinks the policy."""
    before = LeastPrivilegeCompiler(catalogue(), today).list_statements(observe(log))
    after = LeastPrivilegeCompiler(catalogue(), today).list_statements(
        observe([*log, one])
    )
    for action, names in CALLS.items():
        for name in names or ["*"]:
            was, will = (_list_grants(each, action, name) for each in (before, after))
            assert was <= will
    denies = [
        [d for d in found if d.effect is PolicyEffect.DENY] for found in (before, after)
    ]
    assert denies[0] == denies[1]


def _list_grants(found: list[Statement], action: str, name: str) -> set[object]:
    """The conditions under which statements allow a call."""
    return {
        each.conditions
        for each in found
        if each.effect is PolicyEffect.ALLOW
        and matches_action(each, action)
        and (name == "*" or find_matching_patterns(each, name))
    }
