"""A snapshot that is derived account by account answers as one derived at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from answerable.model.errors import EnvironmentFailure
from answerable.model.inventory import Inventory
from answerable.model.sighting import SightedFacts, Sync
from answerable.reach.aws import compiled_graph
from answerable.reach.aws.compiled_parts import CompiledParts
from answerable.reach.platform import Question
from answerable.services.inventory import snapshots
from answerable.services.inventory.large_join import LargeJoin
from answerable.services.reach.platform_registry import AWS
from answerable.store import stored_facts, table_runs
from answerable.store.store import EvidenceStore
from tests.inventory.fact_builders import NOW
from tests.inventory.stored_scans import save
from tests.reach.account_builder import A, AccountBuilder, statement, user
from tests.reach.test_incremental_update import accounts, generating
from tests.usecases.test_derived_equals_cold_run import answers

OTHER = "999900001111"
slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def moved(facts: SightedFacts) -> SightedFacts:
    """Move facts to another account."""
    kinds = {
        kind.name: tuple(
            msgspec.json.decode(
                msgspec.json.encode(fact).replace(A.encode(), OTHER.encode()),
                type=type(fact),
            )
            for fact in getattr(facts, kind.name)
        )
        for kind in fields(facts)
    }
    return SightedFacts(**kinds)


@contextmanager
def loaded(facts: SightedFacts) -> Iterator[tuple[Inventory, EvidenceStore]]:
    """Load the inventory of two accounts, each scanned from a source of its own."""
    words = ("identity-policies", "role-trust")
    with (
        TemporaryDirectory() as folder,
        EvidenceStore.open(Path(folder) / "store", now=NOW, create=True) as store,
    ):
        syncs = [
            Sync(f"aws:{name}", "aws", NOW, each, collected=words)
            for name, each in (("a", facts), ("b", moved(facts)))
        ]
        save(store, syncs, NOW)
        yield snapshots.load_inventory(store, now=NOW), store


@given(accounts())
@settings(max_examples=4, deadline=None, suppress_health_check=slow, phases=generating)
def test_parts_answer_as_the_whole(facts: SightedFacts) -> None:
    with loaded(facts) as (inventory, store):
        expected = answers(inventory, store)
    with pytest.MonkeyPatch.context() as patch:
        joined: list[str] = []
        patch.setattr(stored_facts, "IDENTITIES_PER_PART", 1)
        for one, name in ((LargeJoin, "save"), (CompiledParts, "merge")):
            function = getattr(one, name)

            def count(*given: object, do=function, **named: object) -> object:  # type: ignore[no-untyped-def]
                joined.append(do.__name__)
                return do(*given, **named)

            patch.setattr(one, name, count)
        with loaded(facts) as (inventory, store):
            assert answers(inventory, store) == expected
        assert joined == ["save", "merge"]


@given(accounts())
@settings(max_examples=1, deadline=None, suppress_health_check=slow, phases=generating)
def test_a_full_disk_changes_no_answer(facts: SightedFacts) -> None:
    def fail(*_: object, **__: object) -> None:
        raise EnvironmentFailure("cannot write", "free some space")

    with loaded(facts) as (inventory, store):
        expected = answers(inventory, store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_facts, "IDENTITIES_PER_PART", 1)
        patch.setattr(table_runs, "write_file", fail)
        with loaded(facts) as (inventory, store):
            assert answers(inventory, store) == expected
            assert compiled_graph.load_snapshot_tables(inventory) is not None


def test_many_identities_are_an_error_if_nothing_can_be_written() -> None:
    """In memory, a million of them would need more than most machines have."""

    def fail(*_: object, **__: object) -> None:
        raise EnvironmentFailure("cannot write", "free some space")

    build = AccountBuilder()
    for name in ("ana", "ben"):
        build.identity(user(name))
        build.policy(user(name), "identity", statement("s", action="*", resource="*"))
    facts = build.facts()
    question = Question(NOW, user("ana"), "s3:GetObject", "arn:aws:s3:::a/b")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_facts, "IDENTITIES_PER_PART", 1)
        with loaded(facts) as (inventory, _):
            patch.setattr(compiled_graph, "MOST_IN_MEMORY", 3)
            patch.setattr(table_runs, "write_file", fail)
            with pytest.raises(EnvironmentFailure, match="cannot write"):
                AWS.open(inventory, question)
            patch.setattr(compiled_graph, "MOST_IN_MEMORY", 4)
            AWS.open(inventory, question)
        with loaded(facts):  # four identities may be joined in memory
            pass
        patch.setattr(stored_facts, "MOST_IN_MEMORY", 3)
        with pytest.raises(EnvironmentFailure, match="cannot write"), loaded(facts):
            pass
