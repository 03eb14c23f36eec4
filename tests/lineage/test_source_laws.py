"""Laws over the records of all log sources: order, split, repetition, and one more source."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors import registry
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from tests.connectors.logs.agent_samples import LOGS
from tests.connectors.logs.samples import SAMPLES
from tests.lineage.conftest import NOW
from tests.lineage.test_incident import our_records, push, rows, secret_reads, trail
from tests.lineage.test_log_joints import KEY, bedrock_call, sign_in

OWN = ("gateway", "sts")  # stored as events; their spools are no log files
SEEDS = range(2)
STRENGTH = ["missing", "inferred", "declared", "observed"].index


def list_records() -> dict[str, list[Any]]:
    """List the records of each source: the usual ones, and those of the incident."""
    found: dict[str, list[Any]] = {
        name: [each.record] for name, each in SAMPLES.items()
    }
    found |= {name: list(each.records) for name, each in LOGS.items()}
    found["cloudtrail"] = [trail(), sign_in(KEY), bedrock_call("req-1", KEY)]
    found["k8s-audit"] += secret_reads()
    found["github-audit"].append(push())
    return found | {name: list(our_records(name)) for name in OWN}


RECORDS = list_records()


@contextmanager
def open_store(folder: Path) -> Iterator[EvidenceStore]:
    folder.mkdir()
    with EvidenceStore.open(folder / "store", now=NOW) as store:
        yield store


def tell(store: EvidenceStore, folder: Path, source: str, records: list[Any]) -> int:
    """Store some records of a source; return how many were new."""
    if source in OWN:
        return store.append(records, NOW).stored
    place = folder / f"{len(list(folder.iterdir()))}.json"
    place.write_text("\n".join(map(json.dumps, records)))
    options = SAMPLES[source].options if source in SAMPLES else ""
    (item,) = ingest_logs(store, [f"{source}:{place}{options}"], now=NOW).items
    assert item["quarantined"] == 0
    return int(str(item["stored"]))


def split_records(chance: random.Random) -> list[tuple[str, list[Any]]]:
    """Split the records of each source into files, in any order."""
    parts: list[tuple[str, list[Any]]] = []
    for source, records in RECORDS.items():
        mixed = chance.sample(records, len(records))
        cut = chance.randint(0, len(mixed))
        parts += [(source, part) for part in (mixed[:cut], mixed[cut:]) if part]
    chance.shuffle(parts)
    return parts


def test_every_log_source_has_records_here() -> None:
    specs = [each.spec for each in registry.CONNECTORS]
    declared = {each.name for each in specs if each.gives == registry.EVENTS}
    assert declared == RECORDS.keys() - {"sts"}


def test_any_order_and_split_gives_the_same_rows_and_a_repetition_changes_nothing(
    tmp_path: Path,
) -> None:
    told = []
    for seed in SEEDS:
        parts = split_records(random.Random(seed))  # noqa: S311 - a test's order
        with open_store(tmp_path / str(seed)) as store:
            for source, part in parts:
                assert tell(store, tmp_path / str(seed), source, part)
            told.append(rows(store))
            again = [tell(store, tmp_path / str(seed), *e) for e in RECORDS.items()]
            assert (sum(again), rows(store)) == (0, told[-1])
    assert len({row["source"] for row in told[0]}) == len(RECORDS)
    assert told[0] == told[1]


def find_weakened(before: list[Any], after: list[Any]) -> list[str]:
    """Find the hops that are weaker, or whose observed value is another one."""
    later = {row["event_id"]: row["hops"] for row in after}
    return [
        f"{row['source']} {name}: {hop} became {found}"
        for row in before
        for name, hop in row["hops"].items()
        for found in (later[row["event_id"]][name],)
        if STRENGTH(found["status"]) < STRENGTH(hop["status"])
        or (hop["status"] == "observed" and found["value"] != hop["value"])
    ]


# The logs of the platforms before our own records, and in the other order.
ORDERS = {"own-last": [*sorted(RECORDS.keys() - set(OWN)), "sts", "gateway"]}
ORDERS["own-first"] = ORDERS["own-last"][::-1]


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_one_more_source_weakens_no_hop(tmp_path: Path, order: list[str]) -> None:
    with open_store(tmp_path / "w") as store:
        before: list[Any] = []
        for source in order:
            tell(store, tmp_path / "w", source, RECORDS[source])
            after = rows(store)
            assert find_weakened(before, after) == [], source
            before = after
