"""Findings of many accounts, graded a batch at a time, are those of all at once."""

import pytest
from hypothesis import given, settings

from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.model.coverage import CoverageScope
from answerable.model.documents.finding import FindingItem
from answerable.model.inventory import Inventory
from answerable.model.sighting import SightedFacts, Sync
from answerable.posture import result_table
from answerable.reach.aws import batched_exposure, query_context
from answerable.services.posture.finding_documents import compute_findings
from tests.inventory.fact_builders import NOW
from tests.reach.account_builder import A, AccountBuilder, B, role, statement, user
from tests.reach.strategies import estates
from tests.reach.test_incremental_update import generating, slow

COLLECTED = ("identity-policies", "role-trust", "boundaries", "last-used")


def join(facts: SightedFacts) -> Inventory:
    held = tuple(CoverageScope("identity-policies", account) for account in (A, B))
    sync = Sync("aws:a", "aws", NOW, facts, collected=COLLECTED, held=held)
    return join_syncs_into_inventory([("aws:a", sync)], now=NOW, taken_at=NOW)


def list_items(facts: SightedFacts) -> list[FindingItem]:
    return list(compute_findings(join(facts), now=NOW))


def list_items_in_batches(facts: SightedFacts, most: int = 1_000) -> list[FindingItem]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(query_context, "MOST_AT_COMMAND", 4)
        patch.setattr(query_context, "get_most_followed", lambda _: most)
        patch.setattr(batched_exposure, "BATCH_IDENTITIES", 1)
        patch.setattr(result_table, "_BLOCK", 2)
        patch.setattr(result_table, "_MOST_DECODED", 1)
        return list_items(facts)


@settings(max_examples=15, suppress_health_check=slow, phases=generating)
@given(estates())
def test_any_accounts_have_the_same_findings(facts: SightedFacts) -> None:
    assert len(facts.identities) > 4
    once = list_items(facts)
    parts = list_items_in_batches(facts)
    assert len(once) == len(parts)
    for one, other in zip(once, parts, strict=True):
        # Of two paths of one length, either may be shown.
        assert len(one["path"]) <= len(other["path"])
        assert {**one, "path": []} == {**other, "path": []}


def test_administrators_and_open_roles_of_many_identities_are_listed() -> None:
    build = AccountBuilder()
    anyone = statement("t", action="sts:AssumeRole", principal="*")
    outside = statement("t", action="sts:AssumeRole", principal={"AWS": "999988887777"})
    for arn, trust in ((role("open"), anyone), (role("partner", B), outside)):
        build.identity(arn)
        build.policy(arn, "trust", trust)
    for name in ("ana", "ben", "eve"):
        build.identity(user(name))
    build.policy(user("ana"), "identity", statement("a", action="*", resource="*"))
    found = list_items_in_batches(build.facts())
    named = {(each["rule"], each["subject"]) for each in found}
    assert {
        ("administrator", user("ana")),
        ("public-identity", role("open")),
        ("external-identity", role("partner", B)),
    } <= named


def test_an_account_with_too_many_identities_is_not_evaluated() -> None:
    build = AccountBuilder()
    for name in ("ana", "ben", "eve", "joe", "kim"):
        build.identity(user(name))
    (gap,) = (
        each
        for each in list_items_in_batches(build.facts(), most=4)
        if each["rule"] == "administrator" and each["subject"] == A
    )
    assert gap["state"] == "not-evaluated"
    assert "too many to follow" in gap["title"]
