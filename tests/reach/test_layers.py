"""What every layer says of an answer: who decided, what is missing, who else may."""

from answerable.model.ids import IdentityId
from answerable.model.policy import Policy
from answerable.reach import questions
from answerable.reach.context import NOTHING, Known
from answerable.reach.coverage import not_collected
from answerable.reach.estate import Estate, compile_estate
from answerable.reach.formula import verdict
from answerable.reach.graph import Graph
from answerable.reach.outside import caller_of
from answerable.reach.questions import Reply
from answerable.reach.request import Answer
from answerable.reach.rows import Filter, row_texts, speller
from answerable.reach.single import ask, ask_as
from tests.reach.build import (
    A,
    B,
    Builder,
    catalogue,
    given_policy,
    role,
    statement,
    user,
)

BUCKET = "arn:aws:s3:::red"
OBJECT = f"{BUCKET}/a"
KEY = f"arn:aws:kms:us-east-1:{A}:key/k"
POINT = f"arn:aws:s3:us-east-1:{A}:accesspoint/door"
ANA = user("ana")
EVERYTHING = statement("full", action="*", resource="*")
ANYONE = {"AWS": "*"}


def ana(*, allowed: bool = True) -> Builder:
    """One user of an account in an organisation, who may do anything or nothing."""
    build = Builder()
    build.identity(ANA)
    build.organization(A, "o-1", ("r-1", "ou-1"))
    if allowed:
        build.policy(ANA, "identity", EVERYTHING)
    return build


def estate_of(
    build: Builder,
    *,
    given: Known = NOTHING,
    session: Policy | None = None,
    endpoint: Policy | None = None,
) -> Estate:
    return compile_estate(
        build.facts(), catalogue(), given=given, session=session, endpoint=endpoint
    )


def asked(
    build: Builder,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    *,
    session: Policy | None = None,
    endpoint: Policy | None = None,
) -> Answer:
    """Ask about ana."""
    graph = Graph(estate_of(build, session=session, endpoint=endpoint))
    principal = graph.principal(graph.start(IdentityId(ANA)))
    return ask(graph.estate, principal, action, resource)


def told(answer: Answer) -> list[tuple[str, str, str]]:
    """Who decided: layer, statement, effect."""
    return [(d.layer, d.statement, d.effect) for d in answer.determining]


def levels(build: Builder, *targets: str) -> None:
    for target in targets:
        build.policy(target, "scp", EVERYTHING, policy="p-FullAWSAccess")


# --- who decided


def test_a_level_that_allows_everything_is_not_worth_a_word() -> None:
    build = ana()
    levels(build, "r-1", "ou-1", A)
    answer = asked(build)
    assert verdict(answer.formula) == "always"
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
    other = given_policy("session", statement("ec2", action="ec2:*", resource="*"))
    endpoint = given_policy(
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
    assert verdict(answer.formula) == "never"
    assert told(answer) == [("resource", "", "implicit-deny")]


def test_a_grant_of_the_resource_s_own_policy_is_named_at_its_layer() -> None:
    build = ana(allowed=False)
    yes = statement("yes", action="s3:*", resource="*", principal={"AWS": ANA})
    build.policy(BUCKET, "resource", yes)
    answer = asked(build)
    assert verdict(answer.formula) == "always"
    assert told(answer) == [("resource", "yes", "allow")]


def test_a_resource_control_policy_is_named_at_its_layer() -> None:
    build = ana()
    build.resource(BUCKET, "s3:bucket", A)
    no = statement("no", effect="Deny", action="s3:*", resource="*", principal=ANYONE)
    build.policy("r-1", "rcp", no, policy="p-rcp")
    assert told(asked(build)) == [("rcp", "no", "deny")]


def shut() -> Builder:
    """A bucket of another account, open to anyone, under a public-access block."""
    build = ana()
    build.resource(BUCKET, "s3:bucket", B)
    open_ = statement("open", action="s3:*", resource="*", principal=ANYONE)
    build.policy(BUCKET, "resource", open_)
    build.block(B)
    return build


def test_a_public_access_block_says_that_it_is_what_refuses() -> None:
    answer = asked(shut())
    assert verdict(answer.formula) == "never"
    assert ("public-access", "", "implicit-deny") in told(answer)
    by = {d.layer: d.policy for d in answer.determining}
    assert by["public-access"] == B


def test_what_needs_no_permission_says_so() -> None:
    build = ana(allowed=False)
    no = statement("no", effect="Deny", action="*", resource="*")
    build.policy(ANA, "identity", no)
    answer = asked(build, "sts:GetCallerIdentity", "*")
    assert verdict(answer.formula) == "always"
    assert [layer for layer, _, _ in told(answer)] == ["catalogue"]


def test_both_the_access_point_and_its_bucket_are_named() -> None:
    build = ana(allowed=False)
    build.resource(BUCKET, "s3:bucket", A)
    build.resource(POINT, "s3:accesspoint", A, behind=BUCKET)
    for holder, sid in ((POINT, "door"), (BUCKET, "room")):
        yes = statement(sid, action="s3:*", resource="*", principal={"AWS": ANA})
        build.policy(holder, "resource", yes)
    answer = asked(build, "s3:GetObject", f"{POINT}/object/a")
    assert verdict(answer.formula) == "always"
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
    build: Builder,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    *,
    collected: tuple[str, ...] = ("boundaries",),
    subject: str = ANA,
    direct: bool = False,
) -> set[str]:
    graph = Graph(estate_of(build))
    who = IdentityId(subject)
    reply = questions.can(graph, who, action, resource, direct=direct)
    found = not_collected(
        graph.estate, collected, action, resource, reply, direct=direct
    )
    return set(found)


def test_scps_are_missing_only_where_they_could_bind() -> None:
    build = ana()
    assert "scp" in words(build)
    assert "scp" not in words(build, collected=("scp",))
    levels(build, "r-1", "ou-1", A)
    assert "scp" not in words(build)
    chief = ana()
    chief.organization(A, "o-1", ("r-1",), management=True)
    assert "scp" not in words(chief)
    nowhere = ana()
    nowhere.organization(A, "o-1")
    assert "scp" in words(nowhere, collected=("scp",))


def test_scps_are_not_missing_of_what_is_refused_anyway() -> None:
    assert "scp" not in words(ana(allowed=False))


def test_rcps_are_missing_only_of_services_that_they_bind() -> None:
    assert "rcp" in words(ana())
    assert "rcp" not in words(ana(), collected=("rcp",))
    lambda_ = f"arn:aws:lambda:us-east-1:{A}:function:f"
    assert "rcp" not in words(ana(), "lambda:InvokeFunction", lambda_)


def test_a_resource_policy_is_missing_only_where_none_was_asked_for() -> None:
    build = ana()
    assert "resource-policies" in words(build)
    assert "resource-policies" in words(build, collected=("resource-policies",))
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
    assert "running-code" not in words(build, collected=("running-code",))


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
    graph = Graph(estate_of(open_))
    (reply,) = [
        reply
        for reply in questions.who_can(graph, "s3:GetObject", OBJECT, direct=False)
        if reply.subject == "*"
    ]
    found = not_collected(graph.estate, (), "s3:GetObject", OBJECT, reply)
    assert "identity-policies" in found


# --- callers from outside


def may(build: Builder, text: str, action: str, resource: str) -> str:
    estate = estate_of(build)
    caller = caller_of(text, estate.accounts)
    assert caller is not None
    return verdict(ask_as(estate, caller, action, resource).formula)


def test_a_text_that_is_no_caller_is_told_apart() -> None:
    for text in ("ana", "arn:aws:s3:::red", "", "arn:aws:iam::1:user/x", "12345"):
        assert caller_of(text, {}) is None


def test_the_resource_s_own_policy_lets_callers_in_from_outside() -> None:
    build = ana()
    build.resource(BUCKET, "s3:bucket", A)
    service, foreign = "logging.s3.amazonaws.com", role("x", B)
    build.policy(
        BUCKET,
        "resource",
        statement(
            "logs", action="s3:PutObject", resource="*", principal={"Service": service}
        ),
        statement("b", action="s3:GetObject", resource="*", principal={"AWS": B}),
    )
    assert may(build, service, "s3:PutObject", OBJECT) == "always"
    assert may(build, service, "s3:GetObject", OBJECT) == "never"
    assert may(build, foreign, "s3:GetObject", OBJECT) == "always"
    assert may(build, foreign, "s3:PutObject", OBJECT) == "never"
    assert may(build, "*", "s3:GetObject", OBJECT) == "never"
    assert may(build, foreign, "iam:GetUser", ANA) == "never"


def subjects(replies: list[Reply]) -> dict[str, str]:
    return {reply.subject: verdict(reply.formula).value for reply in replies}


def test_who_can_lists_whom_the_resource_s_own_policy_lets_in() -> None:
    build = ana(allowed=False)
    build.resource(BUCKET, "s3:bucket", A)
    named = {"AWS": ["*", role("x", B), user("gone")], "Service": "s3.amazonaws.com"}
    build.policy(
        BUCKET,
        "resource",
        statement("in", action="s3:GetObject", resource="*", principal=named),
    )
    graph = Graph(estate_of(build))
    for direct in (True, False):
        replies = list(questions.who_can(graph, "s3:GetObject", OBJECT, direct=direct))
        found = subjects(replies)
        assert found == dict.fromkeys(
            [ANA, "*", role("x", B), "s3.amazonaws.com"], "always"
        )
        assert all(not reply.path for reply in replies)


def entered() -> Builder:
    """A role that another account may enter, and that may read the bucket."""
    build = Builder()
    reader = build.identity(role("reader"))
    build.policy(reader, "identity", statement("s3", action="s3:Get*", resource="*"))
    build.policy(
        reader, "trust", statement("in", action="sts:AssumeRole", principal={"AWS": B})
    )
    return build


def test_a_caller_from_outside_acts_through_the_roles_it_may_enter() -> None:
    graph = Graph(estate_of(entered()))
    outsider = IdentityId(user("eve", B))
    reply = questions.can(graph, outsider, "s3:GetObject", OBJECT, direct=False)
    assert verdict(reply.formula) == "always"
    assert [(hop.origin, hop.via, hop.to) for hop in reply.path] == [
        (outsider, "sts:AssumeRole", role("reader"))
    ]
    alone = questions.can(graph, outsider, "s3:GetObject", OBJECT, direct=True)
    assert verdict(alone.formula) == "only-if"  # the bucket's policy is not known
    other = IdentityId(user("eve", "999988887777"))
    reply = questions.can(graph, other, "s3:PutObject", OBJECT, direct=False)
    assert verdict(reply.formula) == "only-if"
    assert not reply.path


def test_the_rows_of_a_caller_from_outside_are_those_it_was_granted() -> None:
    build = entered()
    build.resource(BUCKET, "s3:bucket", A)
    yes = statement("b", action="s3:List*", resource=BUCKET, principal={"AWS": B})
    build.policy(BUCKET, "resource", yes)
    graph = Graph(estate_of(build))
    spelled = speller(graph.estate.catalogue, graph.estate.written, "*")
    found = [
        (*row_texts(reply.row, spelled), bool(reply.path))
        for reply in questions.reach(
            graph, IdentityId(user("eve", B)), Filter(), direct=False
        )
        if reply.row
    ]
    assert found == [("s3:List*", BUCKET, False), ("s3:Get*", "*", True)]


# --- rows


def rows(
    build: Builder, *, session: Policy | None = None, endpoint: Policy | None = None
) -> list[tuple[str, str, str]]:
    graph = Graph(estate_of(build, session=session, endpoint=endpoint))
    principal = graph.principal(graph.start(IdentityId(ANA)))
    spelled = speller(graph.estate.catalogue, graph.estate.written, "*")
    return [
        (*row_texts(row, spelled), verdict(row.formula).value)
        for row in questions.principal_rows(graph, principal, Filter())
    ]


def test_keys_are_set_apart_from_what_is_sure_of_everything_else() -> None:
    assert rows(ana()) == [
        ("* except kms:*", "*", "always"),
        ("kms:*", "*", "only-if"),
    ]


def test_every_limiting_layer_narrows_rows() -> None:
    build = ana()
    levels(build, "r-1", A)
    build.policy(
        "ou-1", "scp", statement("s3", action="s3:*", resource="*"), policy="p-s3"
    )
    assert rows(build) == [("s3:*", "*", "always")]
    session = given_policy("s", statement("get", action="s3:Get*", resource="*"))
    assert rows(build, session=session) == [("s3:Get*", "*", "always")]
    endpoint = given_policy(
        "e", statement("red", action="*", resource=f"{BUCKET}/*", principal=ANYONE)
    )
    found = rows(build, session=session, endpoint=endpoint)
    assert found == [("s3:Get*", f"{BUCKET}/*", "always")]


def test_a_deny_of_a_level_is_taken_out_of_rows() -> None:
    build = ana()
    levels(build, "r-1", "ou-1", A)
    no = statement("no", effect="Deny", action="kms:*", resource="*")
    build.policy(A, "scp", no, policy="p-no")
    assert rows(build) == [("* except kms:*", "*", "always")]


def test_a_service_some_of_whose_resources_deny_is_set_apart() -> None:
    build = ana()
    no = statement("no", effect="Deny", action="s3:*", resource="*", principal=ANYONE)
    build.policy(BUCKET, "resource", no)
    assert rows(build)[-1] == ("s3:*", "*", "only-if")
    assert rows(build)[0] == ("* except kms:*, s3:*", "*", "always")
    other = ana()
    named = statement(
        "no", effect="Deny", action="s3:*", resource="*", principal={"AWS": user("ben")}
    )
    other.policy(BUCKET, "resource", named)
    assert rows(other)[0] == ("* except kms:*", "*", "always")


def test_what_a_resource_s_own_policy_grants_is_a_row_of_its_own() -> None:
    build = ana(allowed=False)
    yes = statement("yes", action="s3:Get*", resource="*", principal={"AWS": ANA})
    build.policy(BUCKET, "resource", yes)
    assert rows(build) == [
        ("s3:Get*", BUCKET, "always"),
        ("s3:Get*", f"{BUCKET}/*", "always"),
    ]


def test_an_admin_under_a_level_that_denies_anything_is_none() -> None:
    build = ana()
    levels(build, "r-1", "ou-1", A)
    graph = Graph(estate_of(build))
    assert graph.admin(graph.start(IdentityId(ANA)))
    no = statement("no", effect="Deny", action="ec2:*", resource="*")
    build.policy(A, "scp", no, policy="p-no")
    graph = Graph(estate_of(build))
    assert not graph.admin(graph.start(IdentityId(ANA)))


def test_a_session_policy_limits_the_subject_and_no_role_it_assumes() -> None:
    build = entered()
    build.identity(ANA)
    build.policy(ANA, "identity", EVERYTHING)
    trusts = statement("a", action="sts:AssumeRole", principal={"AWS": ANA})
    build.policy(role("reader"), "trust", trusts, policy="p-more")
    assume = given_policy("s", statement("sts", action="sts:*", resource="*"))
    graph = Graph(estate_of(build, session=assume))
    who = IdentityId(ANA)
    alone = questions.can(graph, who, "s3:GetObject", OBJECT, direct=True)
    assert verdict(alone.formula) == "never"
    reply = questions.can(graph, who, "s3:GetObject", OBJECT, direct=False)
    assert verdict(reply.formula) == "always"
    assert reply.actor == role("reader")


def test_an_endpoint_policy_limits_the_call_asked_about_and_no_hop() -> None:
    build = entered()
    build.identity(ANA)
    trusts = statement("a", action="sts:AssumeRole", principal={"AWS": ANA})
    build.policy(role("reader"), "trust", trusts, policy="p-more")
    gets = statement("s3", action="s3:Get*", resource="*", principal=ANYONE)
    graph = Graph(estate_of(build, endpoint=given_policy("e", gets)))
    who = IdentityId(ANA)
    reply = questions.can(graph, who, "s3:GetObject", OBJECT, direct=False)
    assert verdict(reply.formula) == "always"
    reply = questions.can(graph, who, "s3:ListBucket", BUCKET, direct=False)
    assert verdict(reply.formula) == "never"
