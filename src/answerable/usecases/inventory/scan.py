"""Scan inventory sources and store a new snapshot (command `scan`)."""

from collections.abc import Sequence
from pathlib import Path

from answerable.connectors import registry
from answerable.model.connector import SyncContext
from answerable.model.documents.shared_shapes import Document, ScanItem
from answerable.model.errors import AnswerableError
from answerable.model.inventory import SourceCoverage
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.presentation.answer_coverage import (
    build_source_coverage,
    format_problem,
)
from answerable.services.inventory import organization_scan, snapshots
from answerable.services.inventory import scan_sources as named
from answerable.services.inventory.scan_outcome import ScanOutcome
from answerable.services.inventory.scan_sources import ScanSource
from answerable.services.inventory.stored_sync import COUNTED_KINDS, store_sync
from answerable.store.store import EvidenceStore


def scan_sources(
    store: EvidenceStore,
    sources: Sequence[str],
    *,
    now: int,
    home: Path,
    cwd: Path,
    endpoint_url: str = "",
    profile: str = "",
    region: str = "",
    regions: Sequence[str] = (),
    progress: ProgressCallback = ignore_progress_report,
) -> Document:
    """Scan the sources and store a snapshot; other sources keep their latest sync.

    A failed source does not affect the others, and its previous sync stays in the
    snapshot.

    Args:
        store: Store of the snapshot.
        sources: Sources as the user names them.
        now: UTC nanoseconds.
        regions: AWS regions to read in each account of an organization; empty for the
            enabled ones.
        progress: Called with (done, total, what).

    Raises:
        UsageError: A source is unknown; nothing was read.
        AnswerableError: No source could be read; the error of the first one.
    """
    asked = named.parse_sources(sources, home=home, cwd=cwd)
    if store.layout.list_journals():
        from answerable.store.journal_sealing import seal_ended_journals

        seal_ended_journals(store, now)
    homes = _list_known_homes(store, asked)
    context = SyncContext(
        now, store.fingerprint, progress, endpoint_url, profile, region, homes=homes
    )
    done = [
        outcome
        for source in asked
        for outcome in _scan_source(store, source, context, tuple(regions))
    ]
    stored = [sync for each in done for sync in each.stored]
    name = snapshots.store_snapshot(store, stored, now) if stored else ""
    for each in done:
        each.end()
    errors = [each.error for each in done if each.error is not None]
    bugs = [error for error in errors if not isinstance(error, AnswerableError)]
    if bugs or not stored:
        raise (bugs or errors)[0]
    return Document(
        "scan",
        [_build_scan_item(each, name) for each in done],
        build_source_coverage([_build_coverage(each, now) for each in done], now),
        next="answerable agents",
    )


def _list_known_homes(
    store: EvidenceStore, sources: Sequence[ScanSource]
) -> tuple[str, ...]:
    """List the homes of this scan and of the newest snapshot."""
    latest = snapshots.load_latest_snapshot(store)
    known = [source for source, _ in latest.syncs] if latest is not None else []
    named_now = [source.location for source in sources if source.name == "home"]
    before = [s.removeprefix("home:") for s in known if s.startswith("home:")]
    return tuple(dict.fromkeys((*named_now, *before)))


def _scan_source(
    store: EvidenceStore,
    source: ScanSource,
    context: SyncContext,
    regions: tuple[str, ...],
) -> list[ScanOutcome]:
    """Scan one source; an error becomes its outcome and does not stop the others."""
    try:
        if organization_scan.is_organization(source):
            return organization_scan.scan_organization(store, source, context, regions)
        connector = registry.load_inventory_connector(source.name)
        sync = connector.sync(source.location, context)
    except AnswerableError as error:
        return [ScanOutcome(str(source), source.name, error=error)]
    except Exception as error:  # noqa: BLE001 - raised again once the others are kept
        return [ScanOutcome(str(source), source.name, error=error)]
    stored = store_sync(store, sync, context.now)
    return [ScanOutcome(sync.source, source.name, (stored,), sync.problems)]


def _build_coverage(outcome: ScanOutcome, now: int) -> SourceCoverage:
    """Build the coverage of one scanned source: age, problems, missing data."""
    stored = outcome.stored
    return SourceCoverage(
        source=outcome.source,
        connector=outcome.connector,
        at=min((sync.at for sync in stored), default=now),
        problems=outcome.all_problems,
        collected=tuple(dict.fromkeys(w for sync in stored for w in sync.collected)),
        not_collected=tuple(
            dict.fromkeys(w for sync in stored for w in sync.not_collected)
        ),
    )


def _build_scan_item(outcome: ScanOutcome, snapshot: str) -> ScanItem:
    """Build the document item of a scanned source from its counts."""
    agents, tools, credentials, identities, policies = (
        sum(sync.counts[at] for sync in outcome.stored)
        for at in range(len(COUNTED_KINDS))
    )
    return {
        "source": outcome.source,
        "agents": agents,
        "tools": tools,
        "credentials": credentials,
        "identities": identities,
        "policies": policies,
        "problems": [format_problem(problem) for problem in outcome.all_problems],
        "snapshot": snapshot,
    }
