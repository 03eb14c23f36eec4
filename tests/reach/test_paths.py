"""Paths that are long, go round in circles, or are made up on the way."""

from itertools import pairwise

import pytest

from answerable.model.ids import IdentityId
from answerable.reach.aws import subject_queries
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.common_match_search import find_matching_text
from answerable.reach.aws.patterns.glob_matching import encode_glob
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.who_can import list_all_callers_by_severity
from answerable.reach.condition_formula import FALSE, TRUE, Verdict, get_verdict
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    B,
    catalogue,
    role,
    statement,
    user,
)

ANA, ONE = user("ana"), role("one")
READ = ("s3:GetObject", "arn:aws:s3:::red/a")
MADE = f"arn:aws:iam::{A}:role/answerable (to be made)"
BOUNDARY = f"arn:aws:iam::{A}:policy/bounds"


def graph_of(build: AccountBuilder) -> IdentityGraph:
    return IdentityGraph(compile_accounts(build.facts(), catalogue()))


def can(build: AccountBuilder, subject: str = ANA) -> ReachAnswer:
    return subject_queries.answer_subject(
        graph_of(build), IdentityId(subject), *READ, direct=False
    )


def chain(length: int, *, back: bool = False, open_: bool = False) -> AccountBuilder:
    """Roles that each trust the one before; the last reads."""
    build = AccountBuilder()
    names = [ANA, *(role(f"r{n:02}") for n in range(length))]
    for arn in names:
        build.identity(arn)
    for before, arn in pairwise(names):
        may = statement("next", action="sts:AssumeRole", resource=arn)
        build.policy(before, "identity", may)
        condition = {"StringEquals": {"sts:ExternalId": arn[-3:]}} if open_ else None
        named = [before, names[-1]] if back and before.startswith("arn") else before
        trust = statement(
            "t",
            action="sts:AssumeRole",
            principal={"AWS": named},
            condition=condition,
        )
        build.policy(arn, "trust", trust)
    read = statement("read", action=READ[0], resource="*")
    more = statement("again", action="sts:AssumeRole", resource="*")
    build.policy(names[-1], "identity", read, more)
    return build


def test_a_chain_of_fifty_roles_is_followed_to_its_end() -> None:
    reply = can(chain(50))
    assert get_verdict(reply.formula) is Verdict.ALWAYS
    assert len(reply.path) == 50
    assert reply.actor == role("r49")


def test_a_chain_that_goes_round_in_circles_ends() -> None:
    build = chain(50, back=True)
    assert len(can(build).path) == 50
    graph = graph_of(build)
    told = list(list_all_callers_by_severity(graph, *READ, direct=False))
    assert {reply.subject for reply in told} == set(graph.accounts.principals)
    assert max(len(reply.path) for reply in told) == 50


def test_the_conditions_of_fifty_open_hops_stay_bounded() -> None:
    reply = can(chain(50, open_=True))
    assert get_verdict(reply.formula) is Verdict.ONLY_IF
    assert len(reply.path) == 50
    assert all(len(hop.formula) == 1 for hop in reply.path)
    assert len(reply.formula) == 1
    (conditions,) = reply.formula
    assert len(conditions) == 50


def test_two_roles_that_trust_each_other_alone_let_nobody_in() -> None:
    build = AccountBuilder()
    for arn in (ANA, ONE, role("two")):
        build.identity(arn)
    build.policy(ANA, "identity")
    anything = statement("all", action="*", resource="*")
    for mine, other in ((ONE, role("two")), (role("two"), ONE)):
        build.policy(mine, "identity", anything)
        trust = statement("t", action="sts:AssumeRole", principal={"AWS": other})
        build.policy(mine, "trust", trust)
    assert can(build).formula == FALSE


def maker(
    *actions: str,
    resource: str = "*",
    condition: dict[str, dict[str, str]] | None = None,
) -> AccountBuilder:
    """Somebody who may make something."""
    build = AccountBuilder()
    build.identity(ANA)
    make = statement("make", action=actions, resource=resource, condition=condition)
    build.policy(ANA, "identity", make)
    return build


def test_a_role_that_is_yet_to_be_made_is_named_as_such() -> None:
    reply = can(maker("iam:CreateRole", "iam:PutRolePolicy"))
    assert reply.formula == TRUE
    (hop,) = reply.path
    assert hop.via == "iam:CreateRole + iam:PutRolePolicy + sts:AssumeRole"
    assert hop.to == reply.actor == MADE
    assert hop.determining


@pytest.mark.parametrize(
    ("allowed", "named"),
    [
        (role("tmp-export"), role("tmp-export")),
        (role("tmp-*"), role("tmp-answerable")),
        (role("*"), role("answerable")),
    ],
)
def test_a_role_that_is_yet_to_be_made_has_a_name_that_the_policy_allows(
    allowed: str, named: str
) -> None:
    reply = can(maker("iam:CreateRole", "iam:PutRolePolicy", resource=allowed))
    (hop,) = reply.path
    assert hop.to == f"{named} (to be made)"


def test_a_role_that_is_there_cannot_be_made() -> None:
    build = maker("iam:CreateRole", "iam:PutRolePolicy", resource=ONE)
    assert can(build).formula == TRUE
    build.identity(ONE)
    build.policy(ONE, "trust")
    assert can(build).formula == FALSE


def test_a_boundary_that_must_be_stated_stays_open() -> None:
    stated = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    reply = can(maker("iam:CreateRole", "iam:PutRolePolicy", condition=stated))
    assert get_verdict(reply.formula) is Verdict.ONLY_IF
    keys = {atom.key for conditions in reply.formula for atom in conditions}
    assert keys == {"iam:PermissionsBoundary"}


def test_the_policies_over_an_account_limit_whoever_is_made_in_it() -> None:
    build = maker("iam:CreateRole", "iam:PutRolePolicy")
    build.organization(A, "o-1", ["r-1"])
    allow = statement("all", action="*", resource="*")
    build.policy("r-1", "scp", allow, policy="p-1")
    build.policy(A, "scp", allow, policy="p-1")
    assert can(build).formula == TRUE
    deny = statement("no", effect="Deny", action="s3:*", resource="*")
    build.policy(A, "scp", deny, policy="p-2")
    assert can(build).formula == FALSE


def test_what_is_made_in_one_account_is_nobody_in_another() -> None:
    build = maker("iam:CreateRole", "iam:PutRolePolicy")
    far = role("far", B)
    build.identity(far)
    trust = statement("t", action="sts:AssumeRole", principal={"AWS": ANA})
    build.policy(far, "trust", trust)
    graph = graph_of(build)
    resource = f"arn:aws:iam::{B}:role/far"
    reply = subject_queries.answer_subject(
        graph, IdentityId(ANA), "iam:DeleteRole", resource, direct=False
    )
    assert reply.formula == FALSE


def test_calls_that_need_one_name_are_not_joined_under_two() -> None:
    build = maker("iam:CreateRole", resource=role("app-*"))
    put = statement("put", action="iam:PutRolePolicy", resource=role("dev-*"))
    build.policy(ANA, "identity", put, policy=f"{ANA}#inline/q")
    assert can(build).formula == FALSE
    both = statement("both", action="iam:PutRolePolicy", resource=role("*-dev"))
    build.policy(ANA, "identity", both, policy=f"{ANA}#inline/r")
    assert can(build).formula == TRUE


def test_an_instance_needs_an_image_a_network_and_an_instance() -> None:
    def launcher(*resources: str) -> AccountBuilder:
        build = maker("iam:PassRole")
        run = statement("run", action="ec2:RunInstances", resource=list(resources))
        build.policy(ANA, "identity", run, policy=f"{ANA}#inline/run")
        build.identity(ONE)
        read = statement("read", action=READ[0], resource="*")
        build.policy(ONE, "identity", read)
        named = {"Service": "ec2.amazonaws.com"}
        trust = statement("t", action="sts:AssumeRole", principal=named)
        build.policy(ONE, "trust", trust)
        return build

    assert can(launcher("*")).formula == TRUE
    kinds = ("instance", "network-interface", "security-group", "subnet")
    all_of_them = [f"arn:aws:ec2:eu-west-1:{A}:{kind}/*" for kind in kinds]
    image = "arn:aws:ec2:*::image/*"
    assert can(launcher(*all_of_them, image)).formula == TRUE
    assert can(launcher(*all_of_them)).formula == FALSE
    assert can(launcher(*all_of_them[1:], image)).formula == FALSE
    elsewhere = f"arn:aws:ec2:us-west-2:{A}:instance/*"
    assert can(launcher(*all_of_them[1:], image, elsewhere)).formula == FALSE


def test_code_that_runs_in_another_account_is_taken_over_where_it_lets_one() -> None:
    build = maker("lambda:*")
    far = role("far", B)
    build.identity(far)
    read = statement("read", action=READ[0], resource="*")
    build.policy(far, "identity", read)
    function = f"arn:aws:lambda:us-east-1:{B}:function:f"
    build.resource(function, "lambda:function", runs_as=far)
    build.resource("arn:aws:s3:::red", "s3:bucket", B)
    assert can(build).path == ()
    lets = statement("f", action="lambda:*", resource="*", principal={"AWS": A})
    build.policy(function, "resource", lets)
    (hop,) = can(build).path
    assert hop.via.endswith(f"on {function}")


def bounded(*actions: str, within: list[str]) -> AccountBuilder:
    """Somebody who may do anything but for a boundary."""
    build = AccountBuilder()
    build.identity(ANA)
    may = statement("may", action=[*actions, "s3:GetObject"], resource="*")
    build.policy(ANA, "identity", may)
    build.policy(
        ANA, "boundary", statement("b", action=within, resource="*"), policy=BOUNDARY
    )
    return build


def test_a_boundary_that_its_bearer_may_take_off_holds_nobody() -> None:
    delete = "iam:DeleteUserPermissionsBoundary"
    (hop,) = can(bounded(delete, within=[delete])).path
    assert (hop.via, hop.to) == (delete, ANA)
    assert can(bounded(delete, within=["iam:Get*"])).formula == FALSE
    assert can(bounded("iam:Get*", within=["iam:*Delete*", "iam:Get*"])).path == ()


def test_a_boundary_is_made_wider_by_a_version_of_its_own_policy() -> None:
    version = "iam:CreatePolicyVersion"
    (hop,) = can(bounded(version, within=[version])).path
    assert hop.via == version


def test_whoever_becomes_somebody_takes_off_their_boundary_too() -> None:
    build = bounded("s3:GetObject", within=["ec2:*"])
    build.identity(user("ben"))
    may = ["iam:CreateAccessKey", "iam:DeleteUserPermissionsBoundary"]
    build.policy(user("ben"), "identity", statement("m", action=may, resource=ANA))
    (hop,) = can(build, user("ben")).path
    assert hop.via == "iam:DeleteUserPermissionsBoundary + iam:CreateAccessKey"


def test_a_text_that_several_patterns_match() -> None:
    def met(*patterns: str) -> str | None:
        return find_matching_text(tuple(encode_glob(pattern) for pattern in patterns))

    assert met("role/app-*", "role/*-dev", "role/?*") == "role/app-dev"
    assert met("a*", "b*") is None
    assert met("*") == ""
    assert met("a?c", "?b*") == "abc"
    assert met(*["*a" * 40 + "*"] * 2) is not None
