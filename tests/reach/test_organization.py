"""The organisation that benchmarks are measured on is what it says it is."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.aws import fetch
from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.connector import SyncContext
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts
from bench.organization.authorization_details import export_account
from bench.organization.diversity import measure_diversity
from bench.organization.generator import GeneratedOrganization, generate_organization
from bench.organization.policy_edits import KINDS, generate_edits
from bench.reach_questions import sample_questions

SIZE = 150
DIGEST = """
import hashlib
from tests.reach.test_organization import digest, generate_organization, load_catalogue
print(digest(generate_organization({size}, 7, load_catalogue()).facts))
"""


@pytest.fixture(scope="module")
def catalogue() -> ActionCatalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def made(catalogue: ActionCatalogue) -> GeneratedOrganization:
    return generate_organization(SIZE, 7, catalogue)


def digest(facts: SightedFacts) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def test_the_same_seed_makes_the_same_facts_in_another_process(
    made: GeneratedOrganization, catalogue: ActionCatalogue, root: Path
) -> None:
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        (sys.executable, "-c", DIGEST.format(size=SIZE)),
        cwd=root,
        env={**os.environ, "PYTHONHASHSEED": "5", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest(made.facts)
    assert digest(generate_organization(SIZE, 8, catalogue).facts) != digest(made.facts)


def test_every_policy_kind_is_in_play(made: GeneratedOrganization) -> None:
    facts = made.facts
    layers = {one.layer for one in facts.attachments}
    assert layers == {
        PolicyLayer.IDENTITY,
        PolicyLayer.BOUNDARY,
        PolicyLayer.TRUST,
        PolicyLayer.SCP,
        PolicyLayer.RCP,
        PolicyLayer.RESOURCE,
    }
    policies = {policy.id for policy in facts.policies}
    assert {one.policy for one in facts.attachments} <= policies
    kinds = {identity.kind for identity in facts.identities}
    assert kinds == {"aws-role", "aws-user", "aws-service-role", "aws-root"}
    assert sum(account.management for account in facts.accounts) == 1
    assert any(policy.id.endswith("#grants") for policy in facts.policies)
    assert any(resource.behind for resource in facts.resources)
    assert any(resource.network for resource in facts.resources)
    identities = {identity.id for identity in facts.identities}
    running = {one.runs_as for one in facts.resources if one.runs_as}
    assert running
    assert running <= identities
    assert facts.public_access
    kinds_of = {resource.kind for resource in facts.resources}
    assert len(kinds_of) == 13


def test_policies_differ(made: GeneratedOrganization) -> None:
    found = measure_diversity(made.facts)
    assert found["distinct policy sets"] > 0.8 * SIZE
    assert found["distinct statements"] > 0.5 * found["statements"]
    assert found["services"] > 400
    assert found["condition keys"] > 25


def test_an_account_reads_back_as_it_was_made(
    catalogue: ActionCatalogue, tmp_path: Path
) -> None:
    made = generate_organization(SIZE, 7, catalogue, single=True)
    place = tmp_path / "account.json"
    text = json.dumps(export_account(made.facts, made.plan.accounts[0].id))
    place.write_text(text, encoding="utf-8")
    sync = fetch.sync(str(place), SyncContext(1, lambda value: "f"))
    assert not sync.problems
    for noun in ("policies", "attachments", "identities", "groups"):
        wanted = {_bare(one) for one in getattr(made.facts, noun) if not _root(one)}
        found = {_bare(one) for one in getattr(sync.facts, noun) if not _root(one)}
        assert found == wanted, noun


def _root(one: Any) -> bool:
    return getattr(one, "kind", "") == "aws-root"


def _bare(one: Any) -> str:
    dates = {"created_at": 0} if hasattr(one, "created_at") else {}
    return repr(replace(one, seen=None, **dates))


def test_an_edit_changes_one_policy_of_its_kind(made: GeneratedOrganization) -> None:
    before = {policy.id: policy for policy in made.facts.policies}
    kinds = []
    for change in generate_edits(made, 2 * len(KINDS), 3):
        after = {policy.id: policy for policy in change.facts.policies}
        assert {p for p in after if after[p] != before[p]} == {change.policy}
        kinds.append(change.kind)
    assert kinds == [*KINDS, *KINDS]


def test_questions_name_identities_and_resources_that_are_there(
    made: GeneratedOrganization,
) -> None:
    drawn = sample_questions(made, 300, 3)
    assert drawn == sample_questions(made, 300, 3)
    assert len(drawn) == 300
    identities = {identity.id for identity in made.facts.identities}
    things = {resource.id for resource in made.facts.resources} | identities
    assert {who for who, _, _ in drawn} <= identities
    named = {on for _, _, on in drawn if on != "*" and "/object/jobs/" not in on}
    assert named <= things
