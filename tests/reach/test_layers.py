"""What every layer says of an answer: who decided, and what was not collected."""

from answerable.model.coverage import CoverageScope
from answerable.model.ids import IdentityId
from answerable.reach.aws import subject_queries
from answerable.reach.aws.answer_coverage import list_not_collected
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.who_can import list_all_callers_by_severity
from answerable.reach.collection_coverage import CollectedData
from answerable.reach.condition_formula import get_verdict
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    B,
    role,
    stated_policy,
    statement,
)
from tests.reach.layer_accounts import (
    ANA,
    ANYONE,
    BUCKET,
    KEY,
    OBJECT,
    POINT,
    ana,
    asked,
    entered,
    estate_of,
    levels,
    told,
)

# --- who decided


def test_a_level_that_allows_everything_is_not_worth_a_word() -> None:
    build = ana()
    levels(build, "r-1", "ou-1", A)
    answer = asked(build)
    assert get_verdict(answer.formula) == "always"
    assert told(answer) == [("identity", "full", "allow")]


def test_a_level_that_does_not_allow_is_named_by_its_unit() -> None:
    build = ana()
    levels(build, "r-1", A)
    only = statement("ec2", action="ec2:*", resource="*")
    build.policy("ou-1", "scp", only, policy="p-ec2")
    (by,) = asked(build).determining
    assert (by.layer, by.policy, by.effect) == ("scp", "ou-1", "implicit-deny")


def test_a_level_that_allows_some_is_named_with_its_statement() -> None:
    build = ana()
    levels(build, "r-1", A)
    only = statement("reads", action="s3:Get*", resource="*")
    build.policy("ou-1", "scp", only, policy="p-s3")
    assert told(asked(build))[-1] == ("scp", "reads", "allow")


def test_an_explicit_deny_alone_is_named_whoever_else_does_not_allow() -> None:
    build = ana(allowed=False)
    build.policy(ANA, "boundary", statement("none", action="ec2:*", resource="*"))
    levels(build, "r-1", "ou-1", A)
    no = statement("no", effect="Deny", action="s3:*", resource="*")
    build.policy(A, "scp", no, policy="p-no")
    assert told(asked(build)) == [("scp", "no", "deny")]


def test_a_never_names_every_layer_that_does_not_allow() -> None:
    build = ana(allowed=False)
    build.policy(ANA, "boundary")
    other = stated_policy("session", statement("ec2", action="ec2:*", resource="*"))
    endpoint = stated_policy(
        "endpoint",
        statement("ec2", action="ec2:*", resource="*", principal=ANYONE),
    )
    answer = asked(build, session=other, endpoint=endpoint)
    assert told(answer) == [
        ("identity", "", "implicit-deny"),
        ("boundary", "", "implicit-deny"),
        ("session", "", "implicit-deny"),
        ("endpoint", "", "implicit-deny"),
    ]


def test_a_key_policy_that_names_nobody_is_what_refuses() -> None:
    build = ana()
    build.policy(KEY, "resource")
    answer = asked(build, "kms:Decrypt", KEY)
    assert get_verdict(answer.formula) == "never"
    assert told(answer) == [("resource", "", "implicit-deny")]


def test_a_grant_of_the_resource_s_own_policy_is_named_at_its_layer() -> None:
    build = ana(allowed=False)
    yes = statement("yes", action="s3:*", resource="*", principal={"AWS": ANA})
    build.policy(BUCKET, "resource", yes)
    answer = asked(build)
    assert get_verdict(answer.formula) == "always"
    assert told(answer) == [("resource", "yes", "allow")]


def test_a_resource_control_policy_is_named_at_its_layer() -> None:
    build = ana()
    build.resource(BUCKET, "s3:bucket", A)
    no = statement("no", effect="Deny", action="s3:*", resource="*", principal=ANYONE)
    build.policy("r-1", "rcp", no, policy="p-rcp")
    assert told(asked(build)) == [("rcp", "no", "deny")]


def shut() -> AccountBuilder:
    """A bucket of another account, open to anyone, under a public-access block."""
    build = ana()
    build.resource(BUCKET, "s3:bucket", B)
    open_ = statement("open", action="s3:*", resource="*", principal=ANYONE)
    build.policy(BUCKET, "resource", open_)
    build.block(B)
    return build


def test_a_public_access_block_says_that_it_is_what_refuses() -> None:
    answer = asked(shut())
    assert get_verdict(answer.formula) == "never"
    assert ("public-access", "", "implicit-deny") in told(answer)
    by = {d.layer: d.policy for d in answer.determining}
    assert by["public-access"] == B


def test_what_needs_no_permission_says_so() -> None:
    build = ana(allowed=False)
    no = statement("no", effect="Deny", action="*", resource="*")
    build.policy(ANA, "identity", no)
    answer = asked(build, "sts:GetCallerIdentity", "*")
    assert get_verdict(answer.formula) == "always"
    assert [layer for layer, _, _ in told(answer)] == ["catalogue"]


def test_both_the_access_point_and_its_bucket_are_named() -> None:
    build = ana(allowed=False)
    build.resource(BUCKET, "s3:bucket", A)
    build.resource(POINT, "s3:accesspoint", A, behind=BUCKET)
    for holder, sid in ((POINT, "door"), (BUCKET, "room")):
        yes = statement(sid, action="s3:*", resource="*", principal={"AWS": ANA})
        build.policy(holder, "resource", yes)
    answer = asked(build, "s3:GetObject", f"{POINT}/object/a")
    assert get_verdict(answer.formula) == "always"
    assert [sid for _, sid, _ in told(answer)] == ["door", "room"]


def test_through_an_access_point_of_one_network_only_that_network_comes() -> None:
    build = ana()
    build.resource(BUCKET, "s3:bucket", A)
    build.resource(POINT, "s3:accesspoint", A, behind=BUCKET, network="vpc-1")
    (alternative,) = asked(build, "s3:GetObject", f"{POINT}/object/a").formula
    (open_,) = alternative
    assert (open_.key, open_.values) == ("aws:SourceVpc", ("vpc-1",))


# --- what was not collected


def words(
    build: AccountBuilder,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    *,
    collected: tuple[CoverageScope, ...] = (CoverageScope("boundaries", A),),
    subject: str = ANA,
    direct: bool = False,
) -> set[str]:
    graph = IdentityGraph(estate_of(build))
    who = IdentityId(subject)
    reply = subject_queries.answer_subject(graph, who, action, resource, direct=direct)
    found = list_not_collected(
        graph.accounts, CollectedData(collected), action, resource, reply, direct=direct
    )
    return set(found)


def test_scps_are_missing_only_where_they_could_bind() -> None:
    build = ana()
    assert "scp" in words(build)
    assert "scp" not in words(build, collected=(CoverageScope("scp", A),))
    levels(build, "r-1", "ou-1", A)
    assert "scp" not in words(build)
    chief = ana()
    chief.organization(A, "o-1", ("r-1",), management=True)
    assert "scp" not in words(chief)
    nowhere = ana()
    nowhere.organization(A, "o-1")
    assert f"scp (account {A})" in words(nowhere, collected=(CoverageScope("scp", B),))


def test_scps_are_not_missing_of_what_is_refused_anyway() -> None:
    assert "scp" not in words(ana(allowed=False))


def test_rcps_are_missing_only_of_services_that_they_bind() -> None:
    build = ana()
    assert "rcp" in words(build)
    assert "rcp" in words(
        build, collected=(CoverageScope("rcp", A),)
    )  # whose is the bucket?
    build.resource(BUCKET, "s3:bucket", A)
    assert "rcp" not in words(build, collected=(CoverageScope("rcp", A),))
    lambda_ = f"arn:aws:lambda:us-east-1:{A}:function:f"
    assert "rcp" not in words(ana(), "lambda:InvokeFunction", lambda_)


def test_a_resource_policy_is_missing_only_where_none_was_asked_for() -> None:
    build = ana()
    assert "resource-policies" in words(build)
    held = CoverageScope("resource-policies", A, service="s3")
    assert "resource-policies" in words(build, collected=(held,))
    build.policy(BUCKET, "resource")
    assert "resource-policies" not in words(build)
    instance = f"arn:aws:ec2:us-east-1:{A}:instance/i-1"
    assert "resource-policies" not in words(build, "ec2:RunInstances", instance)


def test_what_s3_asks_besides_matters_to_callers_from_elsewhere() -> None:
    build = ana()
    build.resource(BUCKET, "s3:bucket", B)
    build.policy(BUCKET, "resource")
    assert "s3-acls" in words(build)
    assert "public-access-block" not in words(build)
    open_ = statement("open", action="s3:*", resource="*", principal=ANYONE)
    build = ana()
    build.resource(BUCKET, "s3:bucket", B)
    build.policy(BUCKET, "resource", open_)
    assert "public-access-block" in words(build)
    assert "s3-acls" not in words(build)
    build.block(BUCKET, restrict=False)
    assert "public-access-block" in words(build)
    build.block(B, restrict=False)
    assert "public-access-block" not in words(build)
    near = ana()
    near.resource(BUCKET, "s3:bucket", A)
    assert not {"s3-acls", "public-access-block"} & words(near)


def test_running_code_is_missing_only_for_whoever_could_take_it_over() -> None:
    build = ana(allowed=False)
    assert "running-code" not in words(build)
    takes = statement("ssm", action="ssm:*", resource="*")
    build.policy(ANA, "identity", takes)
    assert "running-code" in words(build)
    assert "running-code" not in words(build, direct=True)
    held = CoverageScope("running-code", A, "us-east-1")
    other = f"running-code (account {A}, other regions)"
    assert words(build, collected=(held,)) & {"running-code", other} == {other}


def test_nothing_is_missing_of_what_no_policy_decides() -> None:
    build = ana(allowed=False)
    assert words(build, "sts:GetCallerIdentity", "*") == set()
    assert words(build, "s3:GetObject", KEY) == set()


def test_anybody_has_no_policies_of_their_own_that_could_be_missing() -> None:
    build = ana()
    build.resource(BUCKET, "s3:bucket", A)
    assert "identity-policies" not in words(build, subject="*")
    assert "identity-policies" in words(build, subject=role("x", B))
    open_ = entered()
    anyone = statement("any", action="sts:AssumeRole", principal=ANYONE)
    open_.policy(role("reader"), "trust", anyone, policy="p-open")
    graph = IdentityGraph(estate_of(open_))
    (reply,) = [
        reply
        for reply in list_all_callers_by_severity(
            graph, "s3:GetObject", OBJECT, direct=False
        )
        if reply.subject == "*"
    ]
    found = list_not_collected(
        graph.accounts, CollectedData(), "s3:GetObject", OBJECT, reply
    )
    assert "identity-policies" in found
