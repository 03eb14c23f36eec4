"""Logs that close the evidence gap of an identity, on each platform."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import SightedFacts
from answerable.services.posture.log_coverage import LogCoverageView
from answerable.services.posture.logged_use import LoggedUse
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from tests.connectors.logs.samples import GCP, GITHUB, K8S
from tests.lineage.conftest import NOW
from tests.lineage.conftest import store as store

DAY = 86_400_000_000_000
BUILDER = "k8s:prod/apps/serviceaccount/builder"
ROBOT = "runner@acme.iam.gserviceaccount.com"


def inventory(*identities: str) -> Inventory:
    seen = FactProvenance("x:y", "y#/0", WrittenBy.PLATFORM, NOW)
    found = tuple(
        Identity(
            id=IdentityId(each),
            kind="x",
            name=each,
            account="",
            unique_id="",
            tags=(),
            created_at=0,
            last_used_at=0,
            seen=seen,
        )
        for each in identities
    )
    return Inventory(
        at=NOW,
        name="s",
        facts=replace(SightedFacts(), identities=found),
        persons={},
        agents={},
        credentials={},
        owners={},
        coverage=(),
    )


def ingest(store: EvidenceStore, folder: Path, source: str, record: object) -> int:
    """Ingest a record; return the time of its newest event."""
    place = folder / f"{source.partition(':')[0]}.json"
    place.write_text(json.dumps(record))
    ingest_logs(store, [source.replace("PATH", str(place))], now=NOW)
    ((newest,),) = store.run_query("SELECT max(e.event_time) FROM skimmed e")
    assert isinstance(newest, int)
    return newest


def gap(store: EvidenceStore, identity: str, now: int, *known: str) -> str:
    return LogCoverageView(store, inventory(*known), now).find_log_gap(identity)


def test_the_audit_log_of_a_cluster_closes_the_gap_of_its_service_accounts_alone(
    store: EvidenceStore, tmp_path: Path
) -> None:
    now = ingest(store, tmp_path, "k8s-audit:PATH,cluster=prod", K8S) + DAY
    assert gap(store, BUILDER, now) == ""
    assert gap(store, BUILDER.replace("prod", "test"), now)
    assert gap(store, "pg:db/role/app", now)
    late = now + 31 * DAY
    assert gap(store, BUILDER, late).startswith("the log of cluster prod ends on 20")


def test_logged_calls_of_a_service_account_are_counted(
    store: EvidenceStore, tmp_path: Path
) -> None:
    now = ingest(store, tmp_path, "k8s-audit:PATH,cluster=prod", K8S) + DAY
    use = LoggedUse(store, inventory(BUILDER), now).get_use(BUILDER)
    assert use is not None
    assert (use.count, use.last) == (1, now - DAY)
    other = BUILDER.replace("builder", "other")
    quiet = LoggedUse(store, inventory(), now).get_use(other)
    assert quiet is not None
    assert quiet.count == 0
    assert LoggedUse(store, inventory(), now).get_use("k8s:test/a/x/y") is None


def test_the_use_of_many_identities_is_counted_by_one_query(
    store: EvidenceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = K8S | {
        "auditID": "5a3f0d6e-0000-4000-8000-000000000002",
        "user": {"username": "system:serviceaccount:apps:refused"},
        "responseStatus": {"code": 403},
        "annotations": {"authorization.k8s.io/decision": "forbid"},
    }
    ingest(store, tmp_path, "k8s-audit:PATH,cluster=prod", denied)
    now = ingest(store, tmp_path, "k8s-audit:PATH,cluster=prod", K8S) + DAY
    names = [BUILDER, *(BUILDER.replace("builder", n) for n in ("refused", "quiet"))]
    one_by_one = LoggedUse(store, inventory(*names), now)
    expected = {each: one_by_one.get_use(each) for each in names}
    assert [use and use.count for use in expected.values()] == [1, 0, 0]
    use = LoggedUse(store, inventory(*names), now)
    assert use.get_use(BUILDER.replace("builder", "other"))  # loads spans and chains
    queries: list[str] = []
    run = store.run_query
    monkeypatch.setattr(
        store, "run_query", lambda sql, *more: queries.append(sql) or run(sql, *more)
    )
    use.load_uses(names)
    assert {each: use.get_use(each) for each in names} == expected
    assert len(queries) == 1


def test_the_audit_log_of_github_closes_a_gap_only_with_api_requests(
    store: EvidenceStore, tmp_path: Path
) -> None:
    workflow = "github:acme/workflow/shop/.github%2Fworkflows%2Fbot.yml"
    now = ingest(store, tmp_path, "github-audit:PATH", GITHUB | {"org": "acme"}) + DAY
    text = "the log of organization acme has no API requests"
    assert gap(store, workflow, now) == text
    request: dict[str, Any] = GITHUB | {
        "org": "acme",
        "action": "api.request",
        "_document_id": "another",
    }
    ingest(store, tmp_path, "github-audit:PATH", request)
    assert gap(store, workflow, now) == ""
    app = "github:app/robot"
    assert gap(store, app, now), "no organization was scanned"
    assert gap(store, app, now, workflow) == ""
    other = workflow.replace("acme", "other")
    assert gap(store, app, now, workflow, other) == (
        "no log of organization other was ingested"
    )


@pytest.mark.parametrize("identity", [ROBOT, "arn:aws:iam::222233334444:role/x", "x"])
def test_an_empty_store_covers_no_identity(store: EvidenceStore, identity: str) -> None:
    assert gap(store, identity, NOW) == "no ingested log covers its calls"


def test_a_project_that_was_not_scanned_leaves_the_gap_of_a_service_account(
    store: EvidenceStore, tmp_path: Path
) -> None:
    """Calls are logged in the project of the resource."""
    now = ingest(store, tmp_path, "gcp-audit:PATH", GCP) + DAY
    assert gap(store, ROBOT, now), "the projects are not known"
