"""Held against what others worked out, where their data is present."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.connectors.aws import fetch
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.connector import SyncContext
from answerable.reach.aws.escalation_rules.registry import (
    CREATION_RULES,
    EDIT_RULES,
    PASS_ROLE_RULES,
    TAKEOVER_RULES,
    RequiredPermission,
    list_rule_actions,
)
from answerable.reach.aws.patterns.arn_matching import (
    matches_arn,
    split_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import encode_glob
from answerable.usecases.reach import permissions as flow
from bench import action_expansion
from tests.reach.account_builder import inventory_of
from tests.reach.laws import calls_agree
from tests.reach.strategies import CALLS


@pytest.fixture(scope="module")
def whole() -> ActionCatalogue:
    return load_catalogue()


def test_every_managed_policy_grants_what_an_independent_project_says(
    root: Path, whole: ActionCatalogue
) -> None:
    place = root.parent / action_expansion.REFERENCE_FOLDER
    if not place.exists():
        pytest.skip("shared data not present")
    theirs = action_expansion.load_reference(place)
    found = action_expansion.compare_expansions(whole, theirs)
    assert found.policies == len(theirs) >= 1_641
    assert found.undocumented == []
    assert found.differences == []
    assert {one.policy for one in found.known} <= action_expansion.OLDER.keys()
    assert found.actions > 19_000


@pytest.mark.parametrize("theirs", [[], ["sqs:SendMessage", "sqs:DeleteMessage"]])
def test_one_action_more_or_less_is_a_difference(
    whole: ActionCatalogue, theirs: list[str]
) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sqs:Send*", "Resource": "*"}],
    }
    right = {"document": document, "effective_actions": ["SQS:SendMessage"]}
    wrong = {"document": document, "effective_actions": theirs}
    found = action_expansion.compare_expansions(whole, {"a": right, "b": wrong})
    assert [one.policy for one in found.differences] == ["b"]


def test_an_expansion_by_pattern_is_that_of_asking_about_each_action(
    whole: ActionCatalogue,
) -> None:
    one = action_expansion.ActionExpansion(whole)
    for statement in (
        {"Action": ["s3:Get*", "*:ListTagsForResource", "SQS:sendmessage", "ec2:?un*"]},
        {"NotAction": ["iam:*", "organizations:*", "s?s:*", "sts:AssumeRole"]},
        {"Action": "*"},
    ):
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Resource": "*", **statement}],
        }
        (clause,) = one.compile_clauses(document)
        each = {name for name in one.names if clause.matches_action(name)}
        assert one.granted_actions(document) == each != set()


def test_every_action_of_a_rule_is_in_the_catalogue(whole: ActionCatalogue) -> None:
    assert {
        name for name in list_rule_actions() if whole.find_action(name) is None
    } == set()


def needs() -> Iterator[tuple[RequiredPermission, str]]:
    """Yield what each rule needs, with the kind of resource that is there already."""
    for launch in PASS_ROLE_RULES:
        for need in (*launch.needs, *launch.new_role_permissions):
            yield need, launch.changed_resource_kind
    for running in TAKEOVER_RULES:
        for need in running.needs:
            yield need, running.kind
    for make in CREATION_RULES:
        for need in (make.create, *make.grant_alternatives, *make.become_alternatives):
            yield need, ""


def there(whole: ActionCatalogue, kind: str) -> str:
    """Make up the ARN of a resource of a kind; kinds are spelled as in ARNs."""
    service, _, name = kind.partition(":")
    if not kind:
        return ""
    types = whole.services[service].resource_types
    name = next(one for one in types if name.lower().removesuffix("s") == one.lower())
    pattern = types[name].arn.split(":", 5)
    region = "us-east-1" if pattern[3] else ""
    usual = ["arn", "aws", service, region, "1" * 12, pattern[5]]
    return ":".join(usual).replace("*", "x")


@pytest.mark.parametrize(("need", "kind"), sorted(set(needs()), key=str), ids=str)
def test_every_rule_names_a_resource_its_action_can_take(
    whole: ActionCatalogue, need: RequiredPermission, kind: str
) -> None:
    entry = whole.find_action(need.action)
    assert entry
    if need.resource == "*":
        assert entry.takes_only_wildcard_resource
        return
    arn = need.resource.format(
        partition="aws",
        region="us-east-1",
        account="1" * 12,
        name="x",
        parent="x",
        existing=there(whole, kind),
    )
    types = whole.services[entry.service].resource_types
    patterns = [types[name].arn for name in entry.resource_types]
    assert any(
        matches_arn(split_glob_arn(encode_glob(p)), split_arn(arn)) for p in patterns
    )


def test_every_rule_says_where_it_comes_from() -> None:
    assert all(
        rule.source
        for rule in (*PASS_ROLE_RULES, *TAKEOVER_RULES, *EDIT_RULES, *CREATION_RULES)
    )


ACCOUNTS = [
    "cloudsplaining/test/files/example-authz-details.json",
    "cloudsplaining/test/files/example_authz_v2.json",
    "cloudmapper-demo/us-east-1/iam-get-account-authorization-details.json",
]


@pytest.mark.parametrize("name", ACCOUNTS)
def test_accounts_of_others_are_judged_as_the_readable_rules_judge_them(
    root: Path, whole: ActionCatalogue, name: str
) -> None:
    place = root.parent / "shared" / "data" / "iam" / name
    if not place.exists():
        pytest.skip("shared data not present")
    facts = fetch.sync(str(place), SyncContext(1, lambda value: "f")).facts
    assert facts.identities
    calls_agree(facts, {}, CALLS)
    inventory = inventory_of(facts)
    for identity in facts.identities:
        rows = flow.list_subject_permissions(inventory, identity.id, now=1)
        assert all(item["determining"] for item in rows.items)
