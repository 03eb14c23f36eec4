"""Each catalogued way to escalate is found, and lost with any permission it needs.

Ids and titles are in `tests/cases/escalation_paths.yaml`; a title lists the permissions.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from answerable.connectors.formats.arn_kind import resource_kind_of_arn
from answerable.model.ids import Arn, IdentityId
from answerable.model.policy import Statement
from answerable.reach.aws import subject_queries
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.escalation_rules.registry import (
    PASS_ROLE_RULES,
    RESOURCE_ARN_TEMPLATES,
    TAKEOVER_RULES,
)
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import FALSE, Formula, Verdict, get_verdict
from tests.reach import case_tables
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    catalogue,
    role,
    statement,
    user,
)

SHARED = Path(__file__).parents[3] / "shared" / "data" / "iam"
LABS = SHARED / "pathfinding-labs" / "scenarios_dev.jsonl"

ANA, BEN, ONE, MINE = user("ana"), user("ben"), role("one"), role("mine")
TEAM, OWN = f"arn:aws:iam::{A}:group/team", f"arn:aws:iam::{A}:group/own"
OWN_POLICY, HIS_POLICY = f"arn:aws:iam::{A}:policy/own", f"arn:aws:iam::{A}:policy/his"
READ, ANYTHING = ("s3:GetObject", "arn:aws:s3:::red/a"), ("kms:CreateKey", "*")
SERVICES = [
    "amplify.amazonaws.com",
    "apprunner.amazonaws.com",
    "gamelift.amazonaws.com",
    "ssm.amazonaws.com",
    "states.amazonaws.com",
    "bedrock-agentcore.amazonaws.com",
    "cloudformation.amazonaws.com",
    "codebuild.amazonaws.com",
    "datapipeline.amazonaws.com",
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "glue.amazonaws.com",
    "lambda.amazonaws.com",
    "sagemaker.amazonaws.com",
    "tasks.apprunner.amazonaws.com",
    "braket.amazonaws.com",
    "emr-serverless.amazonaws.com",
    "kinesisanalytics.amazonaws.com",
    "omics.amazonaws.com",
    "scheduler.amazonaws.com",
]
THERE = {
    "apprunner:service": "service/a/1",
    "batch:job-definition": "job-definition/a:1",
    "bedrock-agentcore:browser-custom": "browser-custom/a",
    "bedrock-agentcore:code-interpreter-custom": "code-interpreter-custom/a",
    "cloudformation:stack": "stack/a/1",
    "cloudformation:stackset": "stackset/a:1",
    "codebuild:project": "project/a",
    "bedrock-agentcore:runtime": "runtime/a",
    "ec2:instance": "instance/i-1",
    "emr-serverless:applications": "/applications/a",
    "ec2:launch-template": "launch-template/lt-1",
    "ecs:task": "task/cluster/1",
    "ecs:task-definition": "task-definition/a:1",
    "glue:devEndpoint": "devEndpoint/a",
    "glue:job": "job/a",
    "glue:session": "session/a",
    "lambda:function": "function:a",
    "sagemaker:notebook-instance": "notebook-instance/a",
    "states:stateMachine": "stateMachine:a",
}
# Those that a path which passes a role changes.
CHANGED = {"cloudformation:stack", "cloudformation:stackset", "glue:job"}
# Rules that several edits make together, by the edit that widens and the way in.
COMPOSED = {
    "iam-014": ("iam:AttachRolePolicy", "sts:AssumeRole"),
    "iam-015": ("iam:AttachUserPolicy", "iam:CreateAccessKey"),
    "iam-016": ("iam:CreatePolicyVersion", "sts:AssumeRole"),
    "iam-017": ("iam:PutRolePolicy", "sts:AssumeRole"),
    "iam-018": ("iam:PutUserPolicy", "iam:CreateAccessKey"),
    "iam-019": ("iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"),
    "iam-020": ("iam:CreatePolicyVersion", "iam:UpdateAssumeRolePolicy"),
    "iam-021": ("iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"),
    "sts-001": ("sts:AssumeRole",),
    "iam-003": ("iam:CreateAccessKey",),
}
# What the catalogue lists as required and the path does without.
NOT_NEEDED = {
    ("bedrock-005", "bedrock-agentcore:GetAgentRuntime"): "waits for it only",
    ("bedrock-005", "bedrock-agentcore:GetHarness"): "waits for it only",
    ("bedrock-005", "bedrock-agentcore:CreateHarness"): "then it is bedrock-003",
    ("ecs-007", "ecs:RegisterContainerInstance"): (
        "where an instance is registered, it is ecs-009"
    ),
    ("ecs-006", "ecs:DescribeTasks"): "asked by the command line's client only",
    ("iam-003", "iam:DeleteAccessKey"): "for a user who has two keys already",
}
WIDENS = ("PutRolePolicy", "PutUserPolicy", "PutGroupPolicy", "CreatePolicyVersion")

ENTRIES = cast("list[dict[str, str]]", case_tables.rows("escalation_paths.yaml"))
GOOGLE_PATHS = [each for each in ENTRIES if each["id"].startswith("gcp-")]
PATHS = [each for each in ENTRIES if "out" not in each and each not in GOOGLE_PATHS]
# Permissions that a title leaves out and the call asks for besides.
BESIDES = {"codedeploy-001": ["codedeploy:RegisterApplicationRevision"]}
# Of oneself; all others lead to somebody else.
SELF = frozenset(f"iam-{n:03}" for n in (1, 5, 7, 8, 9, 10, 11, 13))


def required(path: dict[str, str]) -> list[str]:
    """The permissions a path needs."""
    return [*path["title"].split(" + "), *BESIDES.get(path["id"], [])]


def widens(actions: list[str]) -> bool:
    """Return whether a path ends with a policy of one's choosing."""
    return any(a.endswith(WIDENS) or a.startswith("iam:Attach") for a in actions)


def on(action: str, *, own: bool) -> str:
    """What a permission is granted on, where anything else would do for other paths."""
    name = action.removeprefix("iam:")
    if name == "CreatePolicyVersion":
        return OWN_POLICY if own else HIS_POLICY
    if name in ("PutRolePolicy", "AttachRolePolicy"):
        return MINE if own else ONE
    if name in ("PutUserPolicy", "AttachUserPolicy"):
        return ANA if own else BEN
    if name in ("PutGroupPolicy", "AttachGroupPolicy"):
        return OWN
    return "*"


def stage(
    start: str, statements: list[Statement], kinds: Iterable[str]
) -> IdentityGraph:
    """One account with targets, and somebody who may do little."""
    build = AccountBuilder()
    for arn in (ANA, BEN, ONE, MINE):
        build.identity(arn)
    build.policy(start, "identity", *statements)
    build.policy(start, "identity", policy=OWN_POLICY)
    read = statement("read", action=READ[0], resource="arn:aws:s3:::red/*")
    build.policy(ONE, "identity", read, policy=HIS_POLICY)
    build.policy(BEN, "identity", read)
    build.policy(BEN, "identity", read, policy=f"{TEAM}#inline/t", via=TEAM)
    if start == ANA:
        build.policy(ANA, "identity", policy=f"{OWN}#inline/o", via=OWN)
    named = {
        "Service": SERVICES,
        "AWS": A,
        "Federated": "cognito-identity.amazonaws.com",
    }
    entering = ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"]
    build.policy(ONE, "trust", statement("t", action=entering, principal=named))
    for kind in kinds:
        arn = f"arn:aws:{kind.partition(':')[0]}:us-east-1:{A}:{THERE[kind]}"
        build.resource(arn, kind, A, runs_as=ONE)
    return IdentityGraph(compile_accounts(build.facts(), catalogue()))


def found(
    actions: list[str], goal: tuple[str, str], kinds: Iterable[str], *, own: bool
) -> Formula:
    """The answer for somebody who holds these permissions and no other."""
    of_role = own and any(a.endswith("RolePolicy") for a in actions)
    start = MINE if of_role else ANA
    held = [
        statement(f"s{i}", action=a, resource=on(a, own=own))
        for i, a in enumerate(actions)
    ]
    graph = stage(start, held, kinds)
    identity = IdentityId(start)
    reply = subject_queries.answer_subject(graph, identity, *goal, direct=False)
    return reply.formula


def strength(formula: Formula) -> tuple[int, int]:
    """Order answers: never, those with many open conditions, with few, always."""
    rank = [Verdict.NEVER, Verdict.ONLY_IF, Verdict.ALWAYS].index(get_verdict(formula))
    return rank, -min((len(one) for one in formula), default=0)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path["id"])
def test_a_catalogued_path_is_found_and_lost_with_any_permission_it_needs(
    path: dict[str, str],
) -> None:
    actions, own = required(path), path["id"] in SELF
    goal = ANYTHING if widens(actions) else READ
    kinds = CHANGED if "iam:PassRole" in actions else THERE
    whole = found(actions, goal, kinds, own=own)
    assert whole != FALSE
    for gone in actions:
        left = found([a for a in actions if a != gone], goal, kinds, own=own)
        if (path["id"], gone) in NOT_NEEDED:
            assert strength(left) == strength(whole)
        else:
            assert strength(left) < strength(whole), gone


def _labs() -> dict[str, list[dict[str, Any]]]:
    if not LABS.exists():
        return {}
    lines = [json.loads(line)["scenario"] for line in LABS.read_text().splitlines()]
    held: dict[str, list[dict[str, Any]]] = {}
    for one in lines:
        held.setdefault(one["name"], []).append(one)
    return held


LABORATORY = _labs()
# Scenarios that are no single catalogued path: the hops they take, first to last.
Chain = list[tuple[str, list[Statement], list[Statement]]]


def _held(*actions: str, resource: str = "*") -> list[Statement]:
    return [statement(a, action=a, resource=resource) for a in actions]


def _trust(**named: str) -> list[Statement]:
    return [statement("t", action="sts:AssumeRole", principal=named)]


ADMIN = [statement("all", action="*", resource="*")]
BUCKET = "arn:aws:s3:::red"
FAR = "444455556666"
FUNCTION = f"arn:aws:lambda:us-east-1:{FAR}:function:hello"
TWO, FAR_ONE, FAR_TWO = role("two"), role("one", FAR), role("two", FAR)
CHAINS: dict[str, Chain] = {
    "root-trust-role-assumption": [
        (ANA, _held("sts:AssumeRole"), []),
        (FAR_ONE, ADMIN, _trust(AWS=f"arn:aws:iam::{A}:root")),
    ],
    "dev-to-prod-simple-role-assumption": [
        (ANA, _held("sts:AssumeRole", resource=FAR_ONE), []),
        (FAR_ONE, ADMIN, _trust(AWS=ANA)),
    ],
    "ops-to-prod-simple-role-assumption": [
        (ANA, _held("sts:AssumeRole", resource=ONE), []),
        (ONE, _held("sts:AssumeRole"), _trust(AWS=A)),
        (FAR_ONE, ADMIN, _trust(AWS=ONE)),
    ],
    "passrole-lambda-admin": [
        (ANA, _held("sts:AssumeRole"), []),
        (ONE, _held("sts:AssumeRole"), _trust(AWS=ANA)),
        (FAR_ONE, _held("iam:PassRole", "lambda:*"), _trust(AWS=ONE)),
        (FAR_TWO, ADMIN, _trust(Service="lambda.amazonaws.com")),
    ],
    "lambda-invoke-update": [
        (ANA, _held("sts:AssumeRole"), []),
        (ONE, _held("lambda:*", resource=FUNCTION), _trust(AWS=ANA)),
        (FAR_ONE, ADMIN, _trust(Service="lambda.amazonaws.com")),
    ],
    "role-chain-to-s3": [
        (ANA, _held("sts:AssumeRole", resource=ONE), []),
        (ONE, _held("sts:AssumeRole", resource=TWO), _trust(AWS=ANA)),
        (TWO, _held("s3:*"), _trust(AWS=ONE)),
    ],
    "multiple-paths-combined": [
        (ANA, _held("sts:AssumeRole", resource=ONE), []),
        (ONE, _held("iam:PassRole", "ec2:RunInstances"), _trust(AWS=ANA)),
        (TWO, ADMIN, _trust(Service="ec2.amazonaws.com")),
    ],
    "sts-001-to-ecs-002": [
        (ANA, _held("sts:AssumeRole", resource=ONE), []),
        (
            ONE,
            _held("iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"),
            _trust(AWS=ANA),
        ),
        (TWO, ADMIN, _trust(Service="ecs-tasks.amazonaws.com")),
    ],
    "lambda-004-to-iam-002": [
        (ANA, _held("lambda:UpdateFunctionCode", "lambda:InvokeFunction"), []),
        (ONE, _held("iam:CreateAccessKey"), _trust(Service="lambda.amazonaws.com")),
        (BEN, ADMIN, []),
    ],
    "exclusive-resource-policy": [
        (ANA, _held("sts:AssumeRole"), []),
        (ONE, _held("sts:AssumeRole"), _trust(AWS=ANA)),
        (TWO, [], _trust(AWS=ONE)),
    ],
    "resource-policy-bypass": [
        (ANA, _held("sts:AssumeRole"), []),
        (ONE, _held("sts:AssumeRole"), _trust(AWS=ANA)),
        (TWO, [], _trust(AWS=ONE)),
    ],
    "github-oidc-cross-account-pivot": [
        (ONE, _held("sts:AssumeRole"), _trust(Federated="arn:aws:iam::1:oidc")),
        (FAR_ONE, _held("s3:*"), _trust(AWS=ONE)),
    ],
    "test-reverse-blast-radius-direct-and-indirect-through-admin": [
        (ANA, _held("sts:AssumeRole", resource=ONE), []),
        (ONE, ADMIN, _trust(AWS=ANA)),
    ],
    "test-reverse-blast-radius-direct-and-indirect-to-bucket": [
        (ANA, _held("sts:AssumeRole", resource=ONE), []),
        (ONE, _held("s3:*"), _trust(AWS=ANA)),
    ],
}
# What is said of no identity, or of none that a snapshot has.
NOT_A_PATH = {
    "public-lambda-with-admin": (
        "a public address runs the function's own code; what that does for whoever "
        "calls is in no policy"
    ),
}


def linked(chain: Chain) -> IdentityGraph:
    """The account, or accounts, of a chain of identities."""
    build = AccountBuilder()
    for arn, held, trust in chain:
        build.identity(arn)
        build.policy(arn, "identity", *held)
        if trust:
            build.policy(arn, "trust", *trust)
    runs_as = FAR_ONE if FAR_ONE in [arn for arn, _, _ in chain] else ONE
    near = FUNCTION.replace(FAR, A)
    for arn in (FUNCTION, near):
        build.resource(arn, "lambda:function", runs_as=runs_as)
    open_to = statement("f", action="lambda:*", resource="*", principal={"AWS": A})
    build.policy(FUNCTION, "resource", open_to)
    build.resource(BUCKET, "s3:bucket", chain[-1][0].split(":")[4])
    in_bucket = statement(
        "b", action="s3:GetObject", resource=f"{BUCKET}/*", principal={"AWS": TWO}
    )
    build.policy(BUCKET, "resource", in_bucket)
    return IdentityGraph(compile_accounts(build.facts(), catalogue()))


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_of_the_laboratory_is_followed_to_its_end(name: str) -> None:
    chain = CHAINS[name]
    start, last = IdentityId(chain[0][0]), chain[-1]
    far = last[0].split(":")[4] == FAR
    goal = ANYTHING if far and last[1] == ADMIN else READ
    reply = subject_queries.answer_subject(linked(chain), start, *goal, direct=False)
    assert get_verdict(reply.formula) is not Verdict.NEVER
    assert reply.actor == last[0]
    assert len(reply.path) == len(chain) - 1
    cut: Chain = [(arn, held if arn == last[0] else [], []) for arn, held, _ in chain]
    reply = subject_queries.answer_subject(linked(cut), start, *goal, direct=False)
    assert get_verdict(reply.formula) is not Verdict.ALWAYS


@pytest.mark.skipif(not LABORATORY, reason="the laboratory is not here")
def test_every_scenario_of_the_laboratory_is_a_path_a_chain_or_named() -> None:
    for name, scenarios in LABORATORY.items():
        for one in scenarios:
            if "pathfinding-cloud-id" not in one:
                assert name in CHAINS or name in NOT_A_PATH, name


@pytest.mark.skipif(not LABORATORY, reason="the laboratory is not here")
@pytest.mark.parametrize(
    "name", [n for n, s in LABORATORY.items() if "pathfinding-cloud-id" in s[0]]
)
def test_a_scenario_of_the_laboratory_is_found_with_what_it_requires(
    name: str,
) -> None:
    for one in LABORATORY[name]:
        actions = [
            held["permission"]
            for needed in one["permissions"]["required"]
            for held in needed.get("permissions", [needed])
        ]
        own = one["path_type"] == "self-escalation"
        goal = ANYTHING if widens(actions) else READ
        assert found(actions, goal, THERE, own=own) != FALSE


def test_the_kinds_of_the_rules_are_those_of_the_facts() -> None:
    named = {
        launch.changed_resource_kind: RESOURCE_ARN_TEMPLATES[
            launch.changed_resource_kind
        ].format(partition="aws", region="us-east-1", account=A, name="n")
        for launch in PASS_ROLE_RULES
        if launch.changed_resource_kind
    }
    for kind, rest in THERE.items():
        named[kind] = f"arn:aws:{kind.partition(':')[0]}:us-east-1:{A}:{rest}"
    for kind, arn in named.items():
        assert resource_kind_of_arn(Arn.parse(arn)) == kind
    named["iam:saml-provider"] = f"arn:aws:iam::{A}:saml-provider/idp"
    assert {rule.kind for rule in TAKEOVER_RULES} <= named.keys()
