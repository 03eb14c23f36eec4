"""Scan of sources into a new snapshot (`scan`)."""

from collections.abc import Callable, Sequence
from pathlib import Path

from answerable.connectors import registry
from answerable.model.connector import SyncContext, no_progress
from answerable.model.documents.core import Document, ScanItem
from answerable.model.errors import AnswerableError
from answerable.model.inventory import SourceCoverage
from answerable.presentation.inventory_lists import coverage_of, problem_line
from answerable.services.inventory import organization_scan, snapshots
from answerable.services.inventory import scan_sources as named
from answerable.services.inventory.scan_outcome import Outcome
from answerable.services.inventory.scan_sources import Source
from answerable.services.inventory.stored_sync import COUNTED, store_sync
from answerable.store.store import Store

Progress = Callable[[int, int, str], None]


def scan(
    store: Store,
    sources: Sequence[str],
    *,
    now: int,
    home: Path,
    cwd: Path,
    endpoint_url: str = "",
    profile: str = "",
    region: str = "",
    regions: Sequence[str] = (),
    progress: Progress = no_progress,
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
    asked = named.parse(sources, home=home, cwd=cwd)
    homes = _homes(store, asked)
    context = SyncContext(
        now, store.fingerprint, progress, endpoint_url, profile, region, homes=homes
    )
    done = [
        outcome
        for source in asked
        for outcome in _read(store, source, context, tuple(regions))
    ]
    stored = [sync for each in done for sync in each.stored]
    name = snapshots.complete(store, stored, now) if stored else ""
    for each in done:
        each.end()
    errors = [each.error for each in done if each.error is not None]
    bugs = [error for error in errors if not isinstance(error, AnswerableError)]
    if bugs or not stored:
        raise (bugs or errors)[0]
    return Document(
        "scan",
        [_item(each, name) for each in done],
        coverage_of([_covered(each, now) for each in done], now),
        next="answerable agents",
    )


def _homes(store: Store, asked: Sequence[Source]) -> tuple[str, ...]:
    """List the homes of this scan and of the newest snapshot."""
    latest = snapshots.newest(store)
    known = [source for source, _ in latest.syncs] if latest is not None else []
    named_now = [source.location for source in asked if source.name == "home"]
    before = [s.removeprefix("home:") for s in known if s.startswith("home:")]
    return tuple(dict.fromkeys((*named_now, *before)))


def _read(
    store: Store, source: Source, context: SyncContext, regions: tuple[str, ...]
) -> list[Outcome]:
    try:
        if organization_scan.is_organization(source):
            return organization_scan.read(store, source, context, regions)
        connector = registry.inventory_connector(source.name)
        sync = connector.sync(source.location, context)
    except AnswerableError as error:
        return [Outcome(str(source), source.name, error=error)]
    except Exception as error:  # noqa: BLE001 - raised again once the others are kept
        return [Outcome(str(source), source.name, error=error)]
    stored = store_sync(store, sync, context.now)
    return [Outcome(sync.source, source.name, (stored,), sync.problems)]


def _covered(outcome: Outcome, now: int) -> SourceCoverage:
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


def _item(outcome: Outcome, snapshot: str) -> ScanItem:
    agents, tools, credentials, identities, policies = (
        sum(sync.counts[at] for sync in outcome.stored) for at in range(len(COUNTED))
    )
    return {
        "source": outcome.source,
        "agents": agents,
        "tools": tools,
        "credentials": credentials,
        "identities": identities,
        "policies": policies,
        "problems": [problem_line(problem) for problem in outcome.all_problems],
        "snapshot": snapshot,
    }
