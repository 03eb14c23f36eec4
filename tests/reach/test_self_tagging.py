"""A `never` does not rest on a tag that the subject may set itself."""

from collections.abc import Sequence
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.documents.shared_shapes import PermissionCheckItem
from answerable.model.ids import IdentityId
from answerable.model.policy import Statement
from answerable.reach.aws import subject_queries
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.condition_keys.self_tagging import answer_with_self_set_tags
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.condition_formula import TRUE, get_verdict
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import A, AccountBuilder, role, statement, user
from tests.reach.test_tag_setters import SERVICES, Condition, allow, tag_is

ANA, ONE = user("ana"), role("one")
INSTANCE = f"arn:aws:ec2:us-east-1:{A}:instance/i-1"
STOP = "ec2:StopInstances"
RED = allow("stop", STOP, condition=tag_is("aws:ResourceTag/team", "red"))


def asked(
    build: AccountBuilder, action: str = STOP, resource: str = INSTANCE
) -> tuple[str, ReachAnswer | None]:
    """Answer as tags stand, and as the subject may make them."""
    build.resource(INSTANCE, "ec2:instance", A, tags=[("team", "blue")])
    estate = compile_accounts(
        build.facts(), load_catalogue(SERVICES), tags_collected=True
    )
    graph, subject = IdentityGraph(estate), IdentityId(ANA)
    plain = subject_queries.answer_subject(
        graph, subject, action, resource, direct=False
    )
    again = answer_with_self_set_tags(graph, subject, action, resource, direct=False)
    return get_verdict(plain.formula).value, again


def ana(*statements: Statement, tags: Sequence[tuple[str, str]] = ()) -> AccountBuilder:
    build = AccountBuilder()
    build.identity(ANA, tags)
    build.policy(ANA, "identity", *statements)
    return build


def test_an_instance_of_another_team_is_retagged_first() -> None:
    assert asked(ana(RED)) == ("never", None)
    verdict_, again = asked(ana(RED, allow("tag", "ec2:CreateTags")))
    assert verdict_ == "never"
    assert again
    ((atom,),) = again.formula
    assert (atom.key, atom.values) == ("aws:ResourceTag/team", ("red",))


def test_a_tag_that_may_not_be_given_that_value_stays() -> None:
    blue = tag_is("aws:RequestTag/team", "blue")
    assert asked(ana(RED, allow("t", "ec2:CreateTags", condition=blue)))[1] is None


def test_tagging_that_depends_on_the_tag_as_it_stands_stays() -> None:
    red = tag_is("aws:ResourceTag/team", "red")
    assert asked(ana(RED, allow("t", "ec2:CreateTags", condition=red)))[1] is None


def test_a_deny_that_spares_a_tag_is_got_around() -> None:
    keep = statement(
        "keep",
        effect="Deny",
        action=STOP,
        resource="*",
        condition=tag_is("aws:ResourceTag/team", "blue"),
    )
    can_tag = allow("tag", ["ec2:CreateTags", "ec2:DeleteTags"])
    assert asked(ana(allow("all", STOP), keep))[1] is None
    assert asked(ana(allow("all", STOP), keep, can_tag))[1]


def test_a_user_may_tag_itself_into_a_permission() -> None:
    mine = allow("stop", STOP, condition=tag_is("aws:PrincipalTag/team", "red"))
    assert asked(ana(mine)) == ("never", None)
    verdict_, again = asked(ana(mine, allow("tag", "iam:TagUser", ANA)))
    assert verdict_ == "never"
    assert again


def test_one_on_the_path_may_set_the_tag() -> None:
    build = ana(allow("a", "sts:AssumeRole"), allow("t", "ec2:CreateTags"))
    build.identity(ONE)
    trust = statement("t", action="sts:AssumeRole", principal={"AWS": A})
    build.policy(ONE, "trust", trust)
    build.policy(ONE, "identity", RED)
    again = asked(build)[1]
    assert again
    assert [hop.to for hop in again.path] == [ONE]


def test_where_no_statement_speaks_of_a_tag_nothing_is_asked_again() -> None:
    assert asked(ana(allow("tag", "ec2:CreateTags")))[1] is None


VALUES = ("red", "blue", "r", "any other value")
lines = st.one_of(
    st.none(),
    st.tuples(
        st.sampled_from(["StringEquals", "StringNotEquals", "StringLike", "Null"]),
        st.lists(st.sampled_from(["red", "blue", "r*", "true", "false"]), min_size=1),
    ),
)
Line = tuple[str, list[str]] | None


def condition(key: str, line: Line) -> Condition | None:
    return tag_is(key, *line[1], operator=line[0]) if line else None


def estate_of(
    statements: Sequence[Statement], tag: str, given: ContextKeys
) -> CompiledAccounts:
    build = ana(*statements)
    tags = [("team", tag)] if tag else [("other", "tag")]
    build.resource(INSTANCE, "ec2:instance", A, tags=tags)
    whole = load_catalogue(SERVICES)
    return compile_accounts(
        build.facts(), whole, stated_keys=given, tags_collected=True
    )


def surely(estate: CompiledAccounts, action: str) -> bool:
    principal = estate.principals[IdentityId(ANA)]
    return (
        subject_queries.evaluate_action(estate, principal, action, INSTANCE).formula
        == TRUE
    )


@settings(max_examples=100)
@given(lines.filter(bool), lines, lines, st.sampled_from(["red", "blue", ""]))
def test_there_is_a_tag_that_the_subject_may_set_and_that_lets_it(
    on_stop: Line, on_set: Line, on_take: Line, tag: str
) -> None:
    statements = [
        allow("stop", STOP, condition=condition("aws:ResourceTag/team", on_stop)),
        allow(
            "set", "ec2:CreateTags", condition=condition("aws:RequestTag/team", on_set)
        ),
        allow("take", "ec2:DeleteTags", condition=condition("aws:TagKeys", on_take)),
    ]
    estate = estate_of(statements, tag, NO_KEYS)
    start = IdentityId(ANA)
    again = answer_with_self_set_tags(
        IdentityGraph(estate), start, STOP, INSTANCE, direct=True
    )
    if again is None:
        return
    untagging = ContextKeys({"aws:tagkeys": ("team",)}, ("aws:requesttag/",))
    ways = [
        surely(estate_of(statements, tag, untagging), "ec2:DeleteTags")
        and surely(estate_of(statements, "", NO_KEYS), STOP)
    ]
    written = on_stop[1] if on_stop else []
    for value in dict.fromkeys((*VALUES, *written)):
        carried = {"aws:tagkeys": ("team",), "aws:requesttag/team": (value,)}
        tagging = estate_of(statements, tag, ContextKeys(carried))
        ways.append(
            surely(tagging, "ec2:CreateTags")
            and surely(estate_of(statements, value, NO_KEYS), STOP)
        )
    assert any(ways)


def test_can_says_what_the_subject_would_tag_first() -> None:
    build = ana(RED, allow("tag", "ec2:CreateTags"))
    build.resource(INSTANCE, "ec2:instance", A, tags=[("team", "blue")])
    document = flow.check_permission(
        build.inventory(), ANA, STOP, INSTANCE, now=0, direct=True
    )
    (item,) = cast(list[PermissionCheckItem], document.items)
    assert (item["verdict"], item["unguarded"]) == ("only-if", True)
    assert "ec2:CreateTags" in item["unguarded_because"]


ADMIN_TAG = "aws:ResourceTag/developer"
ADMIN = user("admin")
EVERYTHING = statement("all", action="*", resource="*")
SECRET = ("s3:GetObject", "arn:aws:s3:::red/a")
EDITS = ["ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:StartInstances"]


def rotating(*more: Statement, admin: Statement = EVERYTHING) -> AccountBuilder:
    """A manager may make keys of users with a tag; CloudGoat's `key_rotation`."""
    make = statement(
        "make",
        action="iam:CreateAccessKey",
        resource="*",
        condition=tag_is(ADMIN_TAG, "true"),
    )
    build = ana(make, *more)
    build.identity(ADMIN)
    build.policy(ADMIN, "identity", admin)
    return build


def item_of(build: AccountBuilder) -> PermissionCheckItem:
    (item,) = flow.check_permission(build.inventory(), ANA, *SECRET, now=0).items
    return cast(PermissionCheckItem, item)


def test_a_tag_that_a_hop_asks_for_is_set_first() -> None:
    item = item_of(rotating(allow("tag", "iam:TagUser", "*")))
    assert (item["verdict"], item["unguarded"]) == ("only-if", True)
    assert [hop["to"] for hop in item["path"]] == [ADMIN]
    assert f"{ADMIN_TAG}: itself: it may call iam:TagUser" in item["unguarded_because"]


def test_a_hop_asks_for_a_tag_that_only_its_end_may_set() -> None:
    assert item_of(rotating())["verdict"] == "never"
    elsewhere = allow("tag", "iam:TagUser", user("other"))
    assert item_of(rotating(elsewhere))["verdict"] == "never"


def test_a_tag_before_a_hop_leaves_the_other_conditions() -> None:
    mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    guarded = statement("all", action="*", resource="*", condition=mfa)
    item = item_of(rotating(allow("tag", "iam:TagUser", "*"), admin=guarded))
    assert (item["verdict"], item["unguarded"]) == ("only-if", False)
    keys = {c["key"] for one in item["conditions"] for c in one["all_of"]}
    assert keys == {ADMIN_TAG, "aws:MultiFactorAuthPresent"}


def machine(*more: Statement, tags: Sequence[tuple[str, str]]) -> AccountBuilder:
    """An instance runs as an admin, and is spared by its tag; CloudGoat's `ec2`."""
    condition = tag_is("aws:ResourceTag/env", "dev")
    edit = statement("e", action=EDITS, resource=INSTANCE, condition=condition)
    build = ana(edit, *more)
    build.identity(ONE)
    build.policy(ONE, "identity", EVERYTHING)
    named = {"Service": "ec2.amazonaws.com"}
    build.policy(ONE, "trust", statement("t", action="sts:AssumeRole", principal=named))
    build.resource(INSTANCE, "ec2:instance", A, runs_as=ONE, tags=tags)
    return build


def test_who_the_path_leads_to_does_not_unguard_it() -> None:
    item = item_of(machine(tags=()))
    assert (item["verdict"], item["unguarded"]) == ("only-if", False)
    assert [hop["to"] for hop in item["path"]] == [ONE]


def test_an_instance_is_tagged_before_it_is_taken_over() -> None:
    tag = allow("tag", "ec2:CreateTags")
    item = item_of(machine(tag, tags=()))
    assert (item["verdict"], item["unguarded"]) == ("only-if", True)
    prod = machine(tag, tags=[("env", "prod")])
    assert item_of(prod)["verdict"] == "only-if"
    assert item_of(prod)["unguarded"]
