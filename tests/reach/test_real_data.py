"""Held against what others worked out, where their data is present."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.connectors.aws import fetch
from answerable.connectors.iam_catalogue.fetch import load
from answerable.model.action_catalogue import Catalogue
from answerable.model.connector import SyncContext
from answerable.reach.aws.escalation_rules.registry import (
    EDITS,
    LAUNCHES,
    MAKES,
    RUNNING,
    Need,
    actions,
)
from answerable.reach.aws.patterns.arns import matches_parts, pattern_parts, text_parts
from answerable.reach.aws.patterns.globs import inward
from answerable.usecases.reach import permissions as flow
from bench import action_expansion
from tests.reach.account_builder import inventory_of
from tests.reach.laws import calls_agree
from tests.reach.strategies import CALLS


@pytest.fixture(scope="module")
def whole() -> Catalogue:
    return load()


def test_every_managed_policy_grants_what_an_independent_project_says(
    root: Path, whole: Catalogue
) -> None:
    place = root.parent / action_expansion.PLACE
    if not place.exists():
        pytest.skip("shared data not present")
    theirs = action_expansion.theirs(place)
    found = action_expansion.compare(whole, theirs)
    assert found.policies == len(theirs) >= 1_641
    assert found.undocumented == []
    assert found.differences == []
    assert {one.policy for one in found.known} <= action_expansion.OLDER.keys()
    assert found.actions > 19_000


@pytest.mark.parametrize("theirs", [[], ["sqs:SendMessage", "sqs:DeleteMessage"]])
def test_one_action_more_or_less_is_a_difference(
    whole: Catalogue, theirs: list[str]
) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sqs:Send*", "Resource": "*"}],
    }
    right = {"document": document, "effective_actions": ["SQS:SendMessage"]}
    wrong = {"document": document, "effective_actions": theirs}
    found = action_expansion.compare(whole, {"a": right, "b": wrong})
    assert [one.policy for one in found.differences] == ["b"]


def test_an_expansion_by_pattern_is_that_of_asking_about_each_action(
    whole: Catalogue,
) -> None:
    one = action_expansion.Expansion(whole)
    for statement in (
        {"Action": ["s3:Get*", "*:ListTagsForResource", "SQS:sendmessage", "ec2:?un*"]},
        {"NotAction": ["iam:*", "organizations:*", "s?s:*", "sts:AssumeRole"]},
        {"Action": "*"},
    ):
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Resource": "*", **statement}],
        }
        (clause,) = one.clauses(document)
        each = {name for name in one.names if clause.takes_action(name)}
        assert one.granted(document) == each != set()


def test_every_action_of_a_rule_is_in_the_catalogue(whole: Catalogue) -> None:
    assert {name for name in actions() if whole.action(name) is None} == set()


def needs() -> Iterator[tuple[Need, str]]:
    """Yield what each rule needs, with the kind of resource that is there already."""
    for launch in LAUNCHES:
        for need in (*launch.needs, *launch.also):
            yield need, launch.changes
    for running in RUNNING:
        for need in running.needs:
            yield need, running.kind
    for make in MAKES:
        for need in (make.create, *make.widen, *make.enter):
            yield need, ""


def there(whole: Catalogue, kind: str) -> str:
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
    whole: Catalogue, need: Need, kind: str
) -> None:
    entry = whole.action(need.action)
    assert entry
    if need.resource == "*":
        assert entry.wildcard_only
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
        matches_parts(pattern_parts(inward(p)), text_parts(arn)) for p in patterns
    )


def test_every_rule_says_where_it_comes_from() -> None:
    assert all(rule.source for rule in (*LAUNCHES, *RUNNING, *EDITS, *MAKES))


ACCOUNTS = [
    "cloudsplaining/test/files/example-authz-details.json",
    "cloudsplaining/test/files/example_authz_v2.json",
    "cloudmapper-demo/us-east-1/iam-get-account-authorization-details.json",
]


@pytest.mark.parametrize("name", ACCOUNTS)
def test_accounts_of_others_are_judged_as_the_readable_rules_judge_them(
    root: Path, whole: Catalogue, name: str
) -> None:
    place = root.parent / "shared" / "data" / "iam" / name
    if not place.exists():
        pytest.skip("shared data not present")
    facts = fetch.sync(str(place), SyncContext(1, lambda value: "f")).facts
    assert facts.identities
    calls_agree(facts, {}, CALLS)
    inventory = inventory_of(facts)
    for identity in facts.identities:
        rows = flow.reach(inventory, identity.id, now=1)
        assert all(item["determining"] for item in rows.items)
