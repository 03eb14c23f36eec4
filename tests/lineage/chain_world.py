"""Chains of random records, statements and removals, compared with all facts."""

import random
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from answerable.lineage.chain_stitching_types import (
    ALL_TIME,
    ChainTimeline,
    SourcedChainKey,
)
from answerable.model.lineage import DeclaredUse
from answerable.model.time_units import DAY_NS
from answerable.services.lineage import chain_cache
from answerable.store import (
    chain_counts,
    chain_file,
    chain_writer,
    large_stores,
    lineage_days,
)
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.chain_lookup import read_chains_of_keys
from answerable.store.documented_views import JOINED_CHAINS
from answerable.store.lineage_facts import read_lineage_facts
from answerable.store.query_tables import ParquetTable
from answerable.store.retention import apply_retention
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.erase_person import erase_person
from answerable.usecases.evidence.store_life import compact_store
from tests.lineage.conftest import NOW
from tests.lineage.log_world import (
    Delivery,
    LogStore,
    open_log_store,
    select_records,
    split_records,
)

SOURCES = ("cloudtrail", "k8s-audit", "gateway", "sts", "bedrock", "gcp-audit")
Chains = dict[SourcedChainKey, Any]


def make_every_store_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    monkeypatch.setattr(chain_cache, "_KEYS_OF_PART", 5)
    monkeypatch.setattr(lineage_days, "_KEYS_AT_ONCE", 7)
    monkeypatch.setattr(chain_writer, "_BATCH", 3)
    monkeypatch.setattr(chain_writer, "_KEYS_OF_FILE", 6)
    monkeypatch.setattr(chain_writer, "_SMALL_FILES", 0)


def index(chains: Iterable[ChainTimeline]) -> Chains:
    return {each.chain_key: each.chains for each in chains}


def derive_all(store: EvidenceStore) -> Chains:
    """Derive the chains of all events from all facts."""
    return index(chain_cache.derive_chains(read_lineage_facts(store), store, None))


def check_chains(store: EvidenceStore) -> ParquetTable:
    """Check that the chain file and its counts are those of all facts."""
    expected = derive_all(store)
    table = chain_cache.write_current_chain_file(store)
    keys = store.run_query("SELECT DISTINCT n FROM chains", (), {"chains": table})
    assert len(keys) == len(expected)
    assert index(read_chains_of_keys(store, table, list(expected))) == expected
    files = chain_counts.write_chain_counts(store)
    assert files is not None
    assert files[0] == table
    counted = store.run_query(
        f"SELECT c.n, c.valid_from, e.outcome, e.event_time // {DAY_NS}, count(*), "  # noqa: S608 - ours
        f"min(e.event_time), max(e.event_time) FROM events e JOIN chains c ON {JOINED_CHAINS} "
        "GROUP BY ALL",
        (),
        {"chains": table},
    )
    found = store.run_query("FROM counts", (), {"counts": files[1]})
    assert sorted(map(tuple, found)) == sorted(map(tuple, counted))
    return table


class Statements:
    """Statements on the owners and users of what the chains of a store name."""

    def __init__(self, patch: pytest.MonkeyPatch, chance: random.Random) -> None:
        self._chance = chance
        self._uses: dict[str, DeclaredUse] = {}
        self._parents: dict[str, str] = {}
        self._version = 0
        patch.setattr(chain_cache, "_load_statements", lambda *_: self.read())
        for module in (chain_cache, chain_file):
            patch.setattr(module, "compute_chains_generation", self.compute_generation)

    def compute_generation(self, store: EvidenceStore) -> str:
        return f"{compute_chains_generation(store)} {self._version}"

    def read(self) -> tuple[tuple[DeclaredUse, ...], dict[str, str]]:
        return tuple(self._uses[name] for name in sorted(self._uses)), self._parents

    def state(self, subject: str, owner: str, users: tuple[str, ...] = ()) -> None:
        """State the owner and the users of a subject."""
        self._version += 1
        self._uses[subject] = DeclaredUse(
            subject,
            self._chance.choice([0, NOW - 10**15]),
            self._chance.choice([NOW, ALL_TIME[1]]),
            owner,
            "attested",
            users,
            tuple((agent, f"{agent}/tool") for agent in users),
            f"snapshot {self._chance.randrange(3)}",
        )

    def change(self, chains: Chains) -> None:
        """State something else on some of the subjects of chains."""
        self._version += 1
        chance, every = self._chance, [each for row in chains.values() for each in row]
        agents = sorted({a for each in every for a in each.agent_path} | {"agent:new"})
        subjects = {v for each in every for v in each.identity_path}
        subjects |= {v for each in every for v in each.credential_path} | {*agents}
        for subject in chance.sample(sorted(subjects), min(3, len(subjects))):
            if chance.random() < 0.3:
                self._uses.pop(subject, None)
                continue
            users = tuple(sorted(chance.sample(agents, chance.randrange(len(agents)))))
            owner = chance.choice(["", "person:ana", "person:eve"])
            self.state(subject, owner, users)
        child, parent = (chance.choice(agents) for _ in range(2))
        self._parents = {**self._parents, child: parent}


def change_evidence(world: LogStore, chance: random.Random) -> None:
    """Seal, compact, retain or erase the events of a store."""
    store = world.store
    store.seal(NOW + 1_000)
    step = chance.randrange(4)
    if step == 1:
        compact_store(store, now=NOW + 2_000)
    elif step == 2:
        apply_retention(store, 1, chance.choice(SOURCES), NOW, dry_run=False)
    elif step == 3:
        name = chance.choice(["ana@corp.example", "eve@corp.example"])
        erase_person(store, [name], "asked", now=NOW)


def check_growth(seed: int, folder: Path, sources: Iterable[str] = SOURCES) -> None:
    """Check the chains after each of random deliveries, in a random order.

    Statements change meanwhile, and events are sealed, compacted, removed and erased.
    """
    chance = random.Random(seed)  # noqa: S311 - a test's order
    records = select_records(tuple(sources), disputed=True)
    with pytest.MonkeyPatch.context() as patch, open_log_store(folder) as world:
        statements = Statements(patch, chance)
        for delivery in split_records(records, chance):
            world.tell(delivery)
            if chance.random() < 0.2:
                change_evidence(world, chance)
            if chance.random() < 0.3:
                statements.change(derive_all(world.store))
            if chance.random() < 0.6:
                check_chains(world.store)
        check_chains(world.store)


@contextmanager
def open_half(folder: Path) -> Iterator[tuple[LogStore, list[Delivery]]]:
    """Open a store with the first half of some records; yield it with the other half."""
    records = [*split_records(select_records(SOURCES), random.Random(4))]  # noqa: S311
    middle = len(records) // 2
    with open_log_store(folder) as world:
        for delivery in records[:middle]:
            world.tell(delivery)
        world.store.seal(NOW + 1_000)
        yield world, records[middle:]


@contextmanager
def copy_half(written: Path, folder: Path) -> Iterator[tuple[LogStore, list[Delivery]]]:
    """Copy a store that `open_half` wrote, and open it like that."""
    records = [*split_records(select_records(SOURCES), random.Random(4))]  # noqa: S311
    middle = len(records) // 2
    shutil.copytree(written, folder)
    with open_log_store(folder, middle) as world:
        yield world, records[middle:]
