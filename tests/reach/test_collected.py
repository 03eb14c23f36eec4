"""What was collected in one account, or region, says nothing of another."""

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.model.coverage import CoverageScope
from answerable.model.documents.shared_shapes import Document, PermissionCheckItem
from answerable.model.inventory import Inventory, SourceCoverage
from answerable.reach.collection_coverage import ANY_PLACE, CollectedData
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import A, AccountBuilder, B, role, statement, user

NOW = 1_764_000_000_000_000_000
HERE, THERE = "eu-west-1", "us-east-1"
ACCOUNTS, REGIONS, SERVICES = (A, B), (HERE, THERE), ("kms", "sqs")
POLICIES, RUNNING = "resource-policies", "running-code"

places = st.builds(
    CoverageScope,
    st.sampled_from((POLICIES, RUNNING)),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(REGIONS),
    st.sampled_from(SERVICES),
)


@given(st.sets(places))
def test_a_word_holds_just_where_it_was_collected(held: set[CoverageScope]) -> None:
    collected = CollectedData(held)
    for account in ACCOUNTS:
        for region in REGIONS:
            for service in SERVICES:
                told = collected.name_missing_data(POLICIES, account, region, service)
                place = CoverageScope(POLICIES, account, region, service)
                assert (told == "") == (place in held)
                assert told == "" or told.partition(" (")[0] == POLICIES


@given(st.sets(places), places)
def test_what_is_open_or_nobody_s_is_never_whole(
    held: set[CoverageScope], one: CoverageScope
) -> None:
    collected = CollectedData({*held, one})
    assert collected.name_missing_data(one.word, one.account, ANY_PLACE, one.service)
    assert collected.name_missing_data(one.word, one.account, one.region, ANY_PLACE)
    assert (
        collected.name_missing_data(one.word, "", one.region, one.service) == one.word
    )


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ((A, HERE, "kms"), ""),
        ((A, THERE, "kms"), f"{POLICIES} (account {A}, {THERE})"),
        ((A, ANY_PLACE, "kms"), f"{POLICIES} (account {A}, other regions)"),
        ((A, HERE, "sqs"), f"{POLICIES} (account {A}, sqs)"),
        (
            (A, ANY_PLACE, ANY_PLACE),
            f"{POLICIES} (account {A}, other services, other regions)",
        ),
        ((B, HERE, "kms"), f"{POLICIES} (account {B})"),
        (("", HERE, "kms"), POLICIES),
    ],
)
def test_what_is_missing_is_named_with_its_place(
    question: tuple[str, str, str], told: str
) -> None:
    assert (
        CollectedData([CoverageScope(POLICIES, A, HERE, "kms")]).name_missing_data(
            POLICIES, *question
        )
        == told
    )


def test_a_word_that_holds_nowhere_stands_alone() -> None:
    assert CollectedData().name_missing_data("scp", A) == "scp"


def two_accounts() -> AccountBuilder:
    """In each account a user who may send commands to instances, and read queues."""
    build = AccountBuilder()
    for account in ACCOUNTS:
        name = build.identity(user("ops", account))
        may = statement("ops", action=["ssm:*", "sqs:Get*"], resource="*")
        build.policy(name, "identity", may)
    return build


def resources(inventory: Inventory, *held: CoverageScope) -> Inventory:
    """Add what a scan of resources covered."""
    words = tuple({each.word for each in held})
    of = SourceCoverage("aws-resources:x", "aws-resources", 1, (), words, (), held)
    return replace(inventory, coverage=(*inventory.coverage, of))


def named(document: Document, word: str) -> list[str]:
    found = document.coverage["not_collected"]
    return [each for each in found if each.partition(" (")[0] == word]


def test_code_that_runs_in_one_account_says_nothing_of_another() -> None:
    inventory = resources(two_accounts().inventory(), CoverageScope(RUNNING, A, HERE))

    def told(account: str) -> list[str]:
        question = (user("ops", account), "s3:GetObject", "arn:aws:s3:::red/a")
        document = flow.check_permission(inventory, *question, now=NOW)
        assert cast(PermissionCheckItem, document.items[0])["verdict"] == "never"
        return named(document, RUNNING)

    assert told(A) == [f"{RUNNING} (account {A}, other regions)"]
    assert told(B) == [f"{RUNNING} (account {B})"]


def test_code_is_wanted_only_of_regions_in_which_it_may_be_taken_over() -> None:
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    function = f"arn:aws:lambda:{HERE}:{A}:function:*"
    build.policy(ana, "identity", statement("f", action="lambda:*", resource=function))
    question = ("ana", "s3:GetObject", "arn:aws:s3:::red/a")
    for region, told in (
        (HERE, []),
        (THERE, [f"{RUNNING} (account {A}, {HERE})"]),
    ):
        inventory = resources(build.inventory(), CoverageScope(RUNNING, A, region))
        assert (
            named(flow.check_permission(inventory, *question, now=NOW), RUNNING) == told
        )


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        (f"arn:aws:sqs:{HERE}:{A}:*", []),
        (f"arn:aws:sqs:{THERE}:{A}:*", [f"{POLICIES} (account {A}, {THERE})"]),
        (f"arn:aws:sqs:*:{A}:q", [f"{POLICIES} (account {A}, other regions)"]),
        (f"arn:aws:sqs:{HERE}:{B}:*", [f"{POLICIES} (account {B})"]),
        (f"arn:aws:sqs:{HERE}:*:q", []),
        (f"arn:aws:sqs:{HERE}:{A}:q", [POLICIES]),
    ],
)
def test_policies_of_queues_are_known_where_they_were_asked_for(
    resource: str, told: list[str]
) -> None:
    held = CoverageScope(POLICIES, A, HERE, "sqs")
    inventory = resources(two_accounts().inventory(), held)
    question = (user("ops"), "sqs:GetQueueUrl", resource)
    assert named(flow.check_permission(inventory, *question, now=NOW), POLICIES) == told


def test_policies_of_queues_say_nothing_of_those_of_keys() -> None:
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    build.policy(ana, "identity", statement("k", action="kms:*", resource="*"))
    inventory = resources(build.inventory(), CoverageScope(POLICIES, A, HERE, "sqs"))
    document = flow.list_subject_permissions(inventory, "ana", action="kms:*", now=NOW)
    assert named(document, POLICIES) == [f"{POLICIES} (account {A}, kms)"]


def test_whose_a_pattern_is_comes_from_who_asks_at_the_end_of_the_path() -> None:
    build = AccountBuilder()
    ana, far = build.identity(user("ana")), build.identity(role("far", B))
    build.policy(
        ana, "identity", statement("in", action="sts:AssumeRole", resource=far)
    )
    enter = statement("t", action="sts:AssumeRole", principal={"AWS": ana})
    build.policy(far, "trust", enter)
    build.policy(far, "identity", statement("q", action="sqs:Get*", resource="*"))
    inventory = resources(build.inventory(), CoverageScope(POLICIES, A, HERE, "sqs"))
    told = named(
        flow.list_subject_permissions(inventory, "ana", action="sqs:Get*", now=NOW),
        POLICIES,
    )
    assert f"{POLICIES} (account {B})" in told


def test_an_account_without_details_is_not_covered_by_another_s() -> None:
    inventory = two_accounts().inventory()
    (source,) = inventory.coverage
    only = tuple(held for held in source.held if held.account == A)
    inventory = replace(inventory, coverage=(replace(source, held=only),))
    question = (user("ops", B), "sqs:GetQueueUrl", f"arn:aws:sqs:{HERE}:{B}:q")
    told = flow.check_permission(inventory, *question, now=NOW).coverage[
        "not_collected"
    ]
    wanted = {"boundaries", "identity-policies", "role-trust"}
    assert {f"{word} (account {B})" for word in wanted} <= set(told)


def test_tags_of_one_scan_do_not_make_another_s_absent() -> None:
    """A bucket that was seen without its tags may have any."""
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    build.resource("arn:aws:s3:::red", "s3:bucket", A)
    tagged = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    build.policy(
        ana,
        "identity",
        statement("t", action="s3:ListBucket", resource="*", condition=tagged),
    )
    inventory = build.inventory()
    (bucket,) = inventory.facts.resources
    seen = replace(bucket.seen, source="aws-resources:x")
    facts = replace(inventory.facts, resources=(replace(bucket, seen=seen),))
    inventory = replace(inventory, facts=facts)
    with_tags = SourceCoverage(
        "aws-resources:y", "aws-resources", 1, (), ("resource-tags",), ()
    )
    without = replace(with_tags, source="aws-resources:x", collected=())
    question = ("ana", "s3:ListBucket", "arn:aws:s3:::red")
    for sources, verdict in (
        ((with_tags,), "never"),
        ((with_tags, without), "only-if"),
    ):
        held = replace(inventory, coverage=(*inventory.coverage, *sources))
        (item,) = flow.check_permission(held, *question, now=NOW).items
        assert item["verdict"] == verdict
