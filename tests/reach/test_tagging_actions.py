"""The table of tagging calls, and what a condition wants of a tag."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.connectors.iam_catalogue.fetch import load
from answerable.model.documents.core import ConditionItem
from answerable.reach import queries
from answerable.reach.aws.compiled.accounts import compile_estate
from answerable.reach.aws.compiled.service_facts import NO_PERMISSION
from answerable.reach.aws.condition_keys.tag_setters import judge, prepare, wish
from answerable.reach.aws.condition_keys.tagging_actions import (
    noun,
    tagging_calls,
    untagging_call,
)
from answerable.reach.aws.evaluation.conditions import clause_holds
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known
from answerable.reach.aws.evaluation.evaluate_principal import judged_plainly
from tests.reach.account_builder import A, catalogue, conditions, role
from tests.reach.strategies_cases import Case, cases

INSTANCE = f"arn:aws:ec2:us-east-1:{A}:instance/i-1"
BUCKET = "arn:aws:s3:::data"
OBJECT = f"{BUCKET}/a/b.csv"
ONE = role("one")


def test_the_table_of_tagging_calls_is_the_catalogue_s() -> None:
    takes_away = ("untag", "remove", "delete", "list", "get", "describe")
    aside = {
        # not the tags that conditions speak of, or not called by whoever wants them
        "batch:SetCapacityTags",
        "chime:TagAttendee",
        "chime:TagMeeting",
        "elemental-support-cases:TagCase",
        "inspector:SetTagsForResource",
        "kinesis:CreateChannel",
        "lakeformation:AddLFTagsToResource",
        "s3:PutJobTagging",
        "s3:PutStorageLensConfigurationTagging",
        "s3:ReplicateTags",
        "s3-object-lambda:PutObjectTagging",
        "s3-object-lambda:PutObjectVersionTagging",
        "s3-outposts:PutBucketTagging",
        "s3-outposts:PutObjectTagging",
        "s3-outposts:PutObjectVersionTagging",
        "s3-outposts:ReplicateTags",
        "sts:TagGetWebIdentityToken",
        "sts:TagSession",
        "tag:TagResources",
    }
    kinds = "user role policy instance-profile mfa oidc-provider saml-provider"
    missing = []
    whole = load()
    for service, entry in whole.services.items():
        listed: set[str] = set()
        for kind in ("thing", "accesspoint", "server-certificate", *kinds.split()):
            arn = f"arn:aws:{service}:us-east-1:{A}:{kind}/a"
            for key in ("aws:ResourceTag/k", "s3:ExistingObjectTag/k"):
                listed.update(tagging_calls(key, arn)[1])
        tagging = {
            str(action)
            for action in entry.actions.values()
            if "Tagging" in action.access
            and not action.name.lower().startswith(takes_away)
        }
        missing += sorted(tagging - listed - aside)
        if tagging - aside:
            takes = {untagging_call(call) for call in listed}
            assert all(whole.action(call) for call in listed | takes), service
    assert not missing


@pytest.mark.parametrize(
    ("resource", "word"),
    [
        (INSTANCE, "instance"),
        (BUCKET, "bucket"),
        (OBJECT, "object"),
        (ONE, "role"),
        (f"arn:aws:sqs:us-east-1:{A}:jobs", "queue"),
        (f"arn:aws:lambda:us-east-1:{A}:function:f", "function"),
        (f"arn:aws:s3:us-east-1:{A}:accesspoint/a", "access point"),
        (f"arn:aws:x:us-east-1:{A}:plain", "resource"),
        ("*", "resource"),
    ],
)
def test_a_resource_is_named_by_its_type(resource: str, word: str) -> None:
    assert noun(resource) == word


# Laws

TEXTS = ["red", "r*", "*", "?", "r?d", "", "re${*}", "${aws:username}"]


def item_of(operator: str, values: Sequence[str], *, negated: bool) -> ConditionItem:
    return {
        "key": "aws:ResourceTag/team",
        "operator": operator,
        "values": list(values),
        "negated": negated,
        "asserted_by": "depends",
    }


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_a_principal_that_is_passed_over_may_not(case: Case) -> None:
    estate = compile_estate(case.facts, catalogue(), given=Known(case.given))
    for principal in estate.principals.values():
        for action, resource in case.calls:
            call = prepare(estate, action, resource, NOTHING)
            found = judge(estate, principal, call)
            free = call.request.action in NO_PERMISSION  # no tagging call is
            account = principal.identity.account
            if not free and not queries.abroad(estate, account, action, resource):
                assert found == judged_plainly(estate, principal, call.request), action


@settings(max_examples=80)
@given(
    st.sampled_from(
        ["StringEquals", "StringLike", "StringEqualsIgnoreCase", "StringEqualsIfExists"]
    ),
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3),
)
def test_a_value_worked_out_satisfies_the_condition(
    operator: str, values: list[str]
) -> None:
    mine = Known({"aws:username": ("ana",)})
    wanted = wish(item_of(operator, values, negated=False), mine)
    (clause,) = conditions({operator: {"aws:ResourceTag/team": values}})
    assert wanted.values
    for value in wanted.values:
        got = "any at all" if value is None else value
        tagged = Known({"aws:resourcetag/team": (got,)}).over(mine)
        assert clause_holds(clause, tagged)


@settings(max_examples=80)
@given(
    st.sampled_from(
        ["StringEquals", "StringNotLike", "Null", "StringLikeIfExists", "NumericEquals"]
    ),
    st.lists(st.sampled_from(["true", "false", "1", "red"]), min_size=1, max_size=2),
    st.booleans(),
)
def test_absence_is_wished_for_exactly_where_it_satisfies(
    operator: str, values: list[str], negated: bool
) -> None:
    (clause,) = conditions({operator: {"aws:ResourceTag/team": values}})
    untagged = clause_holds(clause, Known({"aws:resourcetag/team": ()}))
    if untagged is not None:
        wanted = wish(item_of(operator, values, negated=negated), NOTHING)
        assert wanted.absent == (untagged != negated)
