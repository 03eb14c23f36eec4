"""`scan`: read sources, keep what each saw, and complete a snapshot with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors import table
from answerable.flows import snapshots
from answerable.flows import sources as named
from answerable.flows.lists import coverage_of, problem_line
from answerable.flows.sources import Source
from answerable.model.connector import SyncContext, no_progress
from answerable.model.document import Document, ScanItem
from answerable.model.errors import AnswerableError
from answerable.model.inventory import SourceCoverage
from answerable.model.sighting import Facts, Problem, ProblemKind, Sync
from answerable.store.store import Store

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class _Read:
    """What became of one source: a sync, or the error that prevented it."""

    source: Source
    sync: Sync | None
    error: Exception | None


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
    progress: Progress = no_progress,
) -> Document:
    """Take a snapshot: these sources anew, every other one as it was last seen.

    A source that fails takes nothing from the others: they are kept, and its own
    last sync stays in the snapshot.

    Raises:
        UsageError: A source is unknown; nothing was read then.
        AnswerableError: No source could be read at all; the first one's reason.
    """
    asked = named.parse(sources, home=home, cwd=cwd)
    context = SyncContext(
        now, store.fingerprint, progress, endpoint_url, profile, region
    )
    done = [_read(source, context) for source in asked]
    syncs = [each.sync for each in done if each.sync is not None]
    name = snapshots.save(store, syncs, now) if syncs else ""
    errors = [each.error for each in done if each.error is not None]
    bugs = [error for error in errors if not isinstance(error, AnswerableError)]
    if bugs or not syncs:
        raise (bugs or errors)[0]
    covered = [_covered(each, now) for each in done]
    return Document(
        "scan",
        [_item(each, name) for each in done],
        coverage_of(covered, now),
        next="answerable agents",
    )


def _read(source: Source, context: SyncContext) -> _Read:
    connector = table.inventory_connector(source.name)
    try:
        sync = connector.sync(source.location, context)
    except AnswerableError as error:
        return _Read(source, None, error)
    except Exception as error:  # noqa: BLE001 - raised again once the others are kept
        return _Read(source, None, error)
    return _Read(source, sync, None)


def _problems(read: _Read) -> tuple[Problem, ...]:
    if read.sync is not None:
        return read.sync.problems
    return (Problem(ProblemKind.UNREADABLE, str(read.source), str(read.error)),)


def _covered(read: _Read, now: int) -> SourceCoverage:
    sync = read.sync
    return SourceCoverage(
        source=sync.source if sync else str(read.source),
        connector=read.source.name,
        at=sync.started_at if sync else now,
        problems=_problems(read),
        collected=sync.collected if sync else (),
        not_collected=sync.not_collected if sync else (),
    )


def _item(read: _Read, snapshot: str) -> ScanItem:
    facts = read.sync.facts if read.sync is not None else Facts()
    return {
        "source": read.sync.source if read.sync is not None else str(read.source),
        "agents": len({agent.id for agent in facts.agents}),
        "tools": len(facts.tools),
        "credentials": len({credential.id for credential in facts.credentials}),
        "identities": len({identity.id for identity in facts.identities}),
        "policies": len({policy.id for policy in facts.policies}),
        "problems": [problem_line(problem) for problem in _problems(read)],
        "snapshot": snapshot,
    }
