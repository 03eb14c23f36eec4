"""Telemetry that agents write changes no row of another source, whatever it contains."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from tests.connectors.logs.agent_samples import LOGS
from tests.lineage.conftest import NOW
from tests.lineage.test_incident import (
    AGENT,
    ANA,
    AT,
    KEY,
    PUSH,
    SOURCES,
    our_records,
    rfc3339,
    rows,
    tell,
)
from tests.lineage.test_token_service import token

CLAIMS = ("other", AGENT, ANA, KEY, PUSH, token("T2"), "j-3", "github:git.push")


def vary(value: Any, claim: str) -> Iterator[Any]:
    """Yield copies of a value with one leaf replaced by a claim."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for changed in vary(inner, claim):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            for changed in vary(inner, claim):
                yield [*value[:number], changed, *value[number + 1 :]]
    else:
        yield claim


def at_the_incident(value: Any) -> Any:
    """Return a copy whose times are those of the incident."""
    text = json.dumps(value)
    for second in range(10):
        old = f"2026-11-03T10:00:0{second}"
        text = text.replace(old + ".000Z", rfc3339(AT + second * 10**9))
        text = text.replace(f"179370000{second}000000000", str(AT + second * 10**9))
    return json.loads(text)


# With the records of the gateway and the token service every hop is observed; without
# them hops are missing, so that a believed claim would fill one.
TOLD = (SOURCES, ("cloudtrail", "k8s-audit", "github-audit"))


@pytest.mark.parametrize("sources", TOLD, ids=len)
@pytest.mark.parametrize("name", list(LOGS))
def test_no_value_of_an_agents_telemetry_changes_a_row(
    store: EvidenceStore, tmp_path: Path, name: str, sources: tuple[str, ...]
) -> None:
    for source in sources:
        tell(store, tmp_path, source)
    before = {row["event_id"]: row for row in rows(store)}
    decision = our_records("gateway")[0].decision_id
    lines = [
        json.dumps(changed)
        for record in map(at_the_incident, LOGS[name].records)
        for claim in (*CLAIMS, decision)
        for changed in (record, *vary(record, claim))
    ]
    place = tmp_path / "forged.jsonl"
    place.write_text("\n".join(lines))
    (counts,) = ingest_logs(store, [f"{name}:{place}"], now=NOW).items
    assert counts["stored"] > 10
    after = {row["event_id"]: row for row in rows(store)}
    assert {key: after[key] for key in before} == before
    told = [row for row in after.values() if row["source"] == name]
    assert told
    for row in told:
        assert {hop["status"] for hop in row["hops"].values()} == {"missing"}
