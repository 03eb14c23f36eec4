"""Callers from outside the snapshot, and rows under every kind of policy."""

from answerable.model.ids import IdentityId
from answerable.model.policy import Policy
from answerable.reach.aws import subject_queries
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.evaluation.single_request import (
    evaluate_external_caller_action,
)
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.permission_rows import callable_rows
from answerable.reach.aws.permission_rows.row_types import (
    RowFilter,
    build_action_formatter,
    format_permission_row,
)
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.who_can import list_all_callers_by_severity
from answerable.reach.condition_formula import get_verdict
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    B,
    role,
    stated_policy,
    statement,
    user,
)
from tests.reach.layer_accounts import (
    ANA,
    ANYONE,
    BUCKET,
    EVERYTHING,
    OBJECT,
    ana,
    entered,
    estate_of,
    levels,
)

# --- callers from outside


def may(build: AccountBuilder, text: str, action: str, resource: str) -> str:
    estate = estate_of(build)
    caller = parse_caller(text, estate.accounts)
    assert caller is not None
    return get_verdict(
        evaluate_external_caller_action(estate, caller, action, resource).formula
    )


def test_a_text_that_is_no_caller_is_told_apart() -> None:
    for text in ("ana", "arn:aws:s3:::red", "", "arn:aws:iam::1:user/x", "12345"):
        assert parse_caller(text, {}) is None


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


def subjects(replies: list[ReachAnswer]) -> dict[str, str]:
    return {reply.subject: get_verdict(reply.formula).value for reply in replies}


def test_who_can_lists_whom_the_resource_s_own_policy_lets_in() -> None:
    build = ana(allowed=False)
    build.resource(BUCKET, "s3:bucket", A)
    named = {"AWS": ["*", role("x", B), user("gone")], "Service": "s3.amazonaws.com"}
    build.policy(
        BUCKET,
        "resource",
        statement("in", action="s3:GetObject", resource="*", principal=named),
    )
    graph = IdentityGraph(estate_of(build))
    for direct in (True, False):
        replies = list(
            list_all_callers_by_severity(graph, "s3:GetObject", OBJECT, direct=direct)
        )
        found = subjects(replies)
        assert found == dict.fromkeys(
            [ANA, "*", role("x", B), "s3.amazonaws.com"], "always"
        )
        assert all(not reply.path for reply in replies)


def test_a_caller_from_outside_acts_through_the_roles_it_may_enter() -> None:
    graph = IdentityGraph(estate_of(entered()))
    outsider = IdentityId(user("eve", B))
    reply = subject_queries.answer_subject(
        graph, outsider, "s3:GetObject", OBJECT, direct=False
    )
    assert get_verdict(reply.formula) == "always"
    assert [(hop.origin, hop.via, hop.to) for hop in reply.path] == [
        (outsider, "sts:AssumeRole", role("reader"))
    ]
    alone = subject_queries.answer_subject(
        graph, outsider, "s3:GetObject", OBJECT, direct=True
    )
    assert get_verdict(alone.formula) == "only-if"  # the bucket's policy is not known
    other = IdentityId(user("eve", "999988887777"))
    reply = subject_queries.answer_subject(
        graph, other, "s3:PutObject", OBJECT, direct=False
    )
    assert get_verdict(reply.formula) == "only-if"
    assert not reply.path


def test_who_enters_from_an_account_that_was_placed_is_of_its_organisation() -> None:
    build = AccountBuilder()
    reader = build.identity(role("reader"))
    build.policy(reader, "identity", statement("s3", action="s3:Get*", resource="*"))
    ours = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    trusted = statement(
        "in", action="sts:AssumeRole", principal={"AWS": B}, condition=ours
    )
    build.policy(reader, "trust", trusted)

    def entering() -> str | None:
        graph = IdentityGraph(estate_of(build))
        replies = list_all_callers_by_severity(
            graph, "s3:GetObject", OBJECT, direct=False
        )
        return subjects(list(replies)).get(B)

    assert entering() == "only-if"
    build.organization(B, "o-1")
    assert entering() == "always"
    build.organization(B, "o-2")
    assert entering() is None


def test_the_rows_of_a_caller_from_outside_are_those_it_was_granted() -> None:
    build = entered()
    build.resource(BUCKET, "s3:bucket", A)
    yes = statement("b", action="s3:List*", resource=BUCKET, principal={"AWS": B})
    build.policy(BUCKET, "resource", yes)
    graph = IdentityGraph(estate_of(build))
    spelled = build_action_formatter(
        graph.accounts.catalogue, graph.accounts.written, "*"
    )
    found = [
        (*format_permission_row(reply.row, spelled), bool(reply.path))
        for reply in subject_queries.iterate_subject_rows(
            graph, IdentityId(user("eve", B)), RowFilter(), direct=False
        )
        if reply.row
    ]
    assert found == [("s3:List*", BUCKET, False), ("s3:Get*", "*", True)]


# --- rows


def rows(
    build: AccountBuilder,
    *,
    session: Policy | None = None,
    endpoint: Policy | None = None,
) -> list[tuple[str, str, str]]:
    graph = IdentityGraph(estate_of(build, session=session, endpoint=endpoint))
    principal = graph.get_principal(graph.get_start_node(IdentityId(ANA)))
    spelled = build_action_formatter(
        graph.accounts.catalogue, graph.accounts.written, "*"
    )
    return [
        (*format_permission_row(row, spelled), get_verdict(row.formula).value)
        for row in callable_rows.list_callable_rows(graph, principal, RowFilter())
    ]


def test_keys_are_set_apart_from_what_is_sure_of_everything_else() -> None:
    assert rows(ana()) == [
        ("* except kms:*", "*", "always"),
        ("kms:*", "*", "only-if"),
    ]


def test_calls_on_no_key_are_not_set_apart_with_the_keys() -> None:
    build = ana(allowed=False)
    lists = statement("l", action=["kms:ListAliases", "kms:Decrypt"], resource="*")
    build.policy(ANA, "identity", lists)
    assert rows(build) == [
        ("kms:ListAliases", "*", "always"),
        ("kms:Decrypt", "*", "only-if"),
    ]


def test_every_limiting_layer_narrows_rows() -> None:
    build = ana()
    levels(build, "r-1", A)
    build.policy(
        "ou-1", "scp", statement("s3", action="s3:*", resource="*"), policy="p-s3"
    )
    assert rows(build) == [("s3:*", "*", "always")]
    session = stated_policy("s", statement("get", action="s3:Get*", resource="*"))
    assert rows(build, session=session) == [("s3:Get*", "*", "always")]
    endpoint = stated_policy(
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
    graph = IdentityGraph(estate_of(build))
    assert graph.is_administrator(graph.get_start_node(IdentityId(ANA)))
    no = statement("no", effect="Deny", action="ec2:*", resource="*")
    build.policy(A, "scp", no, policy="p-no")
    graph = IdentityGraph(estate_of(build))
    assert not graph.is_administrator(graph.get_start_node(IdentityId(ANA)))


def test_a_session_policy_limits_the_subject_and_no_role_it_assumes() -> None:
    build = entered()
    build.identity(ANA)
    build.policy(ANA, "identity", EVERYTHING)
    trusts = statement("a", action="sts:AssumeRole", principal={"AWS": ANA})
    build.policy(role("reader"), "trust", trusts, policy="p-more")
    assume = stated_policy("s", statement("sts", action="sts:*", resource="*"))
    graph = IdentityGraph(estate_of(build, session=assume))
    who = IdentityId(ANA)
    alone = subject_queries.answer_subject(
        graph, who, "s3:GetObject", OBJECT, direct=True
    )
    assert get_verdict(alone.formula) == "never"
    reply = subject_queries.answer_subject(
        graph, who, "s3:GetObject", OBJECT, direct=False
    )
    assert get_verdict(reply.formula) == "always"
    assert reply.actor == role("reader")


def test_an_endpoint_policy_limits_the_call_asked_about_and_no_hop() -> None:
    build = entered()
    build.identity(ANA)
    trusts = statement("a", action="sts:AssumeRole", principal={"AWS": ANA})
    build.policy(role("reader"), "trust", trusts, policy="p-more")
    gets = statement("s3", action="s3:Get*", resource="*", principal=ANYONE)
    graph = IdentityGraph(estate_of(build, endpoint=stated_policy("e", gets)))
    who = IdentityId(ANA)
    reply = subject_queries.answer_subject(
        graph, who, "s3:GetObject", OBJECT, direct=False
    )
    assert get_verdict(reply.formula) == "always"
    reply = subject_queries.answer_subject(
        graph, who, "s3:ListBucket", BUCKET, direct=False
    )
    assert get_verdict(reply.formula) == "never"


def test_a_tag_of_the_role_decides_who_enters_it_from_outside() -> None:
    build = AccountBuilder()
    for name, team in (("open", "red"), ("shut", "blue")):
        entered_role = build.identity(role(name), [("team", team)])
        build.policy(
            entered_role,
            "trust",
            statement(
                "t",
                action="sts:AssumeRole",
                principal={"AWS": "999988887777"},
                condition={"StringEquals": {"aws:ResourceTag/team": "red"}},
            ),
        )
        build.policy(entered_role, "identity", statement("a", action="*", resource="*"))
    graph = IdentityGraph(estate_of(build))
    found = [
        (step.to, get_verdict(reply.formula).value)
        for reply in list_all_callers_by_severity(
            graph, "s3:GetObject", OBJECT, direct=False
        )
        for step in reply.path
    ]
    assert found == [(role("open"), "always")]
