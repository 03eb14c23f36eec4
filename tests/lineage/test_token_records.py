"""Events that a token record explains are not unmediated use."""

from pathlib import Path

import pytest

from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.find_gateway_bypasses import find_bypassing_events
from tests.lineage.conftest import NOW, keep, made
from tests.lineage.test_incident import SOURCES, tell


@pytest.mark.parametrize("told", [True, False])
def test_an_agents_own_token_explains_its_use_without_a_gateway(
    store: EvidenceStore, tmp_path: Path, told: bool
) -> None:
    for source in SOURCES:
        if source != "gateway" and (told or source != "sts"):
            tell(store, tmp_path, source)
    document = find_bypassing_events(store, TraceQuery(), now=NOW)
    mediation = document.coverage["mediation"]
    assert (mediation["by_token"] > 0) is told
    assert mediation["unmediated"] == 0
    counted = sum(mediation["untold"].values())
    assert mediation["events"] == counted + mediation["by_token"]


@pytest.mark.parametrize("source", ["pdp", "web", "hook"])
def test_own_recorders_are_no_platforms(store: EvidenceStore, source: str) -> None:
    keep(store, [made(1, source=source, written_by="mediator", agent="agent:x/y")])
    mediation = find_bypassing_events(store, TraceQuery(), now=NOW).coverage[
        "mediation"
    ]
    assert mediation["events"] == 0
