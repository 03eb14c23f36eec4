"""The table of tagging calls, and what a condition wants of a tag."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.documents.shared_shapes import ConditionItem
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.service_facts import NO_PERMISSION_ACTIONS
from answerable.reach.aws.condition_keys.tag_setters import (
    derive_satisfying_tag_values,
    evaluate_prepared_request,
    prepare_request_for_all_principals,
)
from answerable.reach.aws.condition_keys.tagging_actions import (
    get_resource_type_noun,
    get_untagging_action,
    list_tagging_actions,
)
from answerable.reach.aws.evaluation import single_request
from answerable.reach.aws.evaluation.conditions import evaluate_condition_line
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.evaluation.evaluate_principal import (
    evaluate_request_condition,
)
from tests.reach.account_builder import A, catalogue, conditions, role
from tests.reach.strategies_cases import ReachCase, cases

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
    whole = load_catalogue()
    for service, entry in whole.services.items():
        listed: set[str] = set()
        for kind in ("thing", "accesspoint", "server-certificate", *kinds.split()):
            arn = f"arn:aws:{service}:us-east-1:{A}:{kind}/a"
            for key in ("aws:ResourceTag/k", "s3:ExistingObjectTag/k"):
                listed.update(list_tagging_actions(key, arn)[1])
        tagging = {
            str(action)
            for action in entry.actions.values()
            if "Tagging" in action.access
            and not action.name.lower().startswith(takes_away)
        }
        missing += sorted(tagging - listed - aside)
        if tagging - aside:
            takes = {get_untagging_action(call) for call in listed}
            assert all(whole.find_action(call) for call in listed | takes), service
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
    assert get_resource_type_noun(resource) == word


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
def test_a_principal_that_is_passed_over_may_not(case: ReachCase) -> None:
    estate = compile_accounts(
        case.facts, catalogue(), stated_keys=ContextKeys(case.given)
    )
    for principal in estate.principals.values():
        for action, resource in case.calls:
            call = prepare_request_for_all_principals(estate, action, resource, NO_KEYS)
            found = evaluate_prepared_request(estate, principal, call)
            free = call.request.action in NO_PERMISSION_ACTIONS  # no tagging call is
            account = principal.identity.account
            if not free and not single_request.is_owner_only_call(
                estate, account, action, resource
            ):
                assert found == evaluate_request_condition(
                    estate, principal, call.request
                ), action


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
    mine = ContextKeys({"aws:username": ("ana",)})
    wanted = derive_satisfying_tag_values(
        item_of(operator, values, negated=False), mine
    )
    (clause,) = conditions({operator: {"aws:ResourceTag/team": values}})
    assert wanted.values
    for value in wanted.values:
        got = "any at all" if value is None else value
        tagged = ContextKeys({"aws:resourcetag/team": (got,)}).merge_over(mine)
        assert evaluate_condition_line(clause, tagged)


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
    untagged = evaluate_condition_line(
        clause, ContextKeys({"aws:resourcetag/team": ()})
    )
    if untagged is not None:
        wanted = derive_satisfying_tag_values(
            item_of(operator, values, negated=negated), NO_KEYS
        )
        assert wanted.absent == (untagged != negated)
