"""An estate that was compiled part by part answers as the one compiled at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.inventory import Inventory
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled import account_tables
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled_graph import (
    SnapshotSummary,
    index_policy_attachments,
    load_snapshot_summary,
)
from answerable.reach.aws.compiled_parts import CompiledParts
from answerable.reach.aws.evaluation.context_keys import NO_KEYS
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.store import inventory_cache, stored_facts
from answerable.store.block_file import BlockFile, encode_block_file
from answerable.store.stored_facts import StoredFacts
from answerable.store.table_runs import TableRuns
from tests.reach.account_builder import AccountBuilder, user
from tests.reach.strategies import estates
from tests.reach.test_account_tables import answers, slow
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import accounts, generating
from tests.reach.test_step_tables import Tables

KEY = b"k" * 32


@pytest.fixture(autouse=True, scope="module")
def parts_of_one_account() -> Iterator[None]:
    """Begin a part with each account."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_facts, "IDENTITIES_PER_PART", 1)
        yield


@contextmanager
def stored(facts: SightedFacts) -> Iterator[tuple[StoredFacts, Path]]:
    """Store facts, and open them by row; with an empty folder."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        sections = inventory_cache.encode_facts(facts)
        path = folder / "facts.blocks"
        path.write_bytes(b"".join(encode_block_file("g", sections, KEY)))
        (folder / "runs").mkdir()
        yield StoredFacts(BlockFile(path, "g", KEY)), folder / "runs"


def inventory_of(facts: SightedFacts) -> Inventory:
    return Inventory(
        at=1,
        name="",
        facts=facts,
        persons={},
        agents={},
        credentials={},
        owners={},
        coverage=(),
    )


@given(st.one_of(accounts(), estates()))
@settings(max_examples=20, deadline=None, suppress_health_check=slow, phases=generating)
def test_parts_answer_as_the_whole(facts: SightedFacts) -> None:
    cold = IdentityGraph(compiled(facts))
    inventory = inventory_of(facts)
    with stored(facts) as (rows, folder):
        parts = CompiledParts(TableRuns(folder))
        for part in rows.iterate_parts():
            made = compile_accounts(
                part,
                cold.accounts.catalogue,
                tags_collected=cold.accounts.tags_collected,
                numbers=parts.numbers,
            )
            parts.add(part, made)
        tables = Tables(parts.merge())
        warm = IdentityGraph(
            account_tables.restore_accounts_from_tables(
                tables, cold.accounts.catalogue, NO_KEYS
            )
        )
        assert answers(warm) == answers(cold)
        for each in ("principals", "trusts", "holders", "groups", "resources"):
            mine, theirs = getattr(warm.accounts, each), getattr(cold.accounts, each)
            assert sorted(mine) == sorted(theirs)
        for each in ("by_service", "by_named", "by_provider", "code_by_identity"):
            mine, theirs = getattr(warm.accounts, each), getattr(cold.accounts, each)
            assert dict(mine) == dict(theirs)
        assert sorted(warm.accounts.externally_trusted_roles) == sorted(
            cold.accounts.externally_trusted_roles
        )
        summary = tables.section("summary", SnapshotSummary)[""]
        whole = load_snapshot_summary(inventory, cold)
        for name in ("services", "keys", "tagged_policies", "collected", "unknown"):
            assert getattr(summary, name) == getattr(whole, name)
        attached = dict(tables.section("attached", list[str]))
        assert {key: sorted(found) for key, found in attached.items()} == {
            key: sorted(set(found))
            for key, found in index_policy_attachments(facts).items()
        }


@given(estates())
@settings(max_examples=10, deadline=None, suppress_health_check=slow, phases=generating)
def test_each_fact_about_accounts_is_in_a_part(facts: SightedFacts) -> None:
    with stored(facts) as (rows, _):
        parts = list(rows.iterate_parts())
        for name in ("identities", "resources", "groups"):
            found = [each for part in parts for each in getattr(part, name)]
            assert found == sorted(getattr(facts, name), key=lambda each: each.id)
        for name in ("policies", "attachments", "accounts", "public_access"):
            found = [each for part in parts for each in getattr(part, name)]
            assert {repr(each) for each in found} == {
                repr(each) for each in getattr(facts, name)
            }
        for each in fields(SightedFacts):
            assert list(rows.iterate(each.name)) == list(getattr(rows, each.name))


def test_the_keys_of_all_parts_are_selected_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = TableRuns(tmp_path)
    names = [f"{number:05}" for number in range(12_000)]
    for at in range(0, len(names), 3_000):
        runs.add({"rows": [(name, "x" * 20) for name in names[at : at + 3_000]]})
    reads: list[object] = []
    read_block = BlockFile.read_block

    def count(file: BlockFile, block: Any) -> Any:
        reads.append(block)
        return read_block(file, block)

    monkeypatch.setattr(BlockFile, "read_block", count)
    wanted = {*names[::7], "absent"}
    assert runs.select_keys("rows", wanted) == wanted - {"absent"}
    assert len(reads) == len(set(reads))
    assert runs.select_keys("rows", ()) == frozenset()


def test_the_rows_of_a_kind_are_opened_once() -> None:
    build = AccountBuilder()
    build.identity(user("ana"))
    with stored(build.facts()) as (facts, _):
        assert facts.identities_by_id() is facts.identities_by_id()
        assert facts.policies_by_id() is facts.policies_by_id()
