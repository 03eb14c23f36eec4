"""Held against what others worked out, where their data is present."""

import gzip
import json
from pathlib import Path

import pytest

from answerable.connectors.aws import fetch
from answerable.connectors.formats.iam_policy import parse_policy
from answerable.connectors.iam_catalogue.fetch import load
from answerable.flows import reach as flow
from answerable.model.catalogue import Catalogue
from answerable.model.connector import SyncContext
from answerable.model.ids import PolicyId
from answerable.model.policy import Effect, Layer
from answerable.reach.clauses import Interner
from answerable.reach.globs import inward
from answerable.reach.resources import matches_parts, pattern_parts, text_parts
from answerable.reach.rules import EDITS, LAUNCHES, actions
from tests.reach.build import SEEN, inventory_of
from tests.reach.strategies import CALLS
from tests.reach.test_law import calls_agree


@pytest.fixture(scope="module")
def whole() -> Catalogue:
    return load()


def expanded(document: object, whole: Catalogue) -> set[str]:
    """Every known action that a policy's allows speak of and no deny takes away."""
    policy = parse_policy(
        document, Layer.IDENTITY, policy_id=PolicyId("p"), name="p", seen=SEEN
    )
    grants, _ = Interner().compile(policy, Layer.IDENTITY)
    found: set[str] = set()
    names = [
        f"{service}:{name}"
        for service, entry in whole.services.items()
        for name in entry.actions
    ]
    for grant in grants:
        if grant.clause.effect is Effect.ALLOW:
            found |= {name for name in names if grant.clause.takes_action(name)}
    return found


def test_expansion_equals_the_one_of_an_independent_project(
    root: Path, whole: Catalogue
) -> None:
    place = root.parent / "shared" / "data" / "iam" / "managed-policy-actions"
    if not place.exists():
        pytest.skip("shared data not present")
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    text = gzip.decompress((place / "effective_actions.json.gz").read_bytes())
    theirs = json.loads(text)
    documents = json.loads(aws_managed_policies_data)
    known = {
        f"{service}:{name}"
        for service, entry in whole.services.items()
        for name in entry.actions
    }
    everything = {
        action.lower()
        for entry in theirs.values()
        for action in entry["effective_actions"]
    }
    compared = 0
    for name in sorted(theirs.keys() & documents.keys())[::12]:
        if theirs[name]["version"] != documents[name]["DefaultVersionId"]:
            continue
        mine = expanded(documents[name]["Document"], whole)
        yours = {action.lower() for action in theirs[name]["effective_actions"]}
        # Only what both catalogues know can be held against each other.
        assert mine & everything == yours & known & everything, name
        compared += 1
    assert compared > 50


def test_every_action_of_a_rule_is_in_the_catalogue(whole: Catalogue) -> None:
    assert {name for name in actions() if whole.action(name) is None} == set()


def test_every_launch_names_a_resource_its_action_can_take(whole: Catalogue) -> None:
    for launch in LAUNCHES:
        for need in launch.needs:
            entry = whole.action(need.action)
            assert entry
            if need.resource == "*":
                assert entry.wildcard_only, need.action
                continue
            arn = need.resource.format(
                partition="aws", region="us-east-1", account="1" * 12, name="x"
            )
            types = whole.services[entry.service].resource_types
            patterns = [types[name].arn for name in entry.resource_types]
            assert any(
                matches_parts(pattern_parts(inward(p)), text_parts(arn))
                for p in patterns
            ), need.action


def test_every_rule_says_where_it_comes_from() -> None:
    assert all(rule.source for rule in (*LAUNCHES, *EDITS))


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
