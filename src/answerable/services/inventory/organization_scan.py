"""Scan a live AWS organization: its tree first, then its accounts in parallel.

A few threads read the accounts, through one role in each. Scanned accounts are in the
store and in a checkpoint, so that an interrupted scan resumes. The snapshot is stored
once, after the last account, and lists accounts that refused access.
"""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from threading import Event, Lock

import msgspec

from answerable.connectors import registry
from answerable.connectors.aws_org import fetch
from answerable.model.connector import MemberAccount, SyncContext
from answerable.model.errors import AnswerableError, SessionExpired
from answerable.model.sighting import ReadProblem, ReadProblemKind, Sync
from answerable.services.inventory.scan_outcome import ScanOutcome
from answerable.services.inventory.scan_sources import ScanSource
from answerable.services.inventory.stored_sync import StoredSync, store_sync
from answerable.store.scan_checkpoint import ScanCheckpoint, resume_or_create_checkpoint
from answerable.store.store import EvidenceStore

WORKERS = 8  # threads, and accounts in progress
RESUME_WITHIN = 6 * 3600 * 10**9  # ns; an older interrupted scan starts again

_ACCOUNT, _RESOURCES = "aws", "aws-resources"


class _ScanStopped(Exception):  # noqa: N818 - raised in threads whose scan has ended
    """Signal that ends the worker threads of a scan."""


class _CheckpointEntry(msgspec.Struct, frozen=True):
    """Checkpoint entry of one account."""

    account: str
    stored: tuple[StoredSync, ...]
    problems: tuple[ReadProblem, ...]


@dataclass(slots=True)
class _AccountScan:
    """Scan of one account in progress.

    Attributes:
        syncs: Syncs by connector and region.
        problems: Problems that prevented a sync.
        open_jobs: Number of unfinished jobs.
    """

    member: MemberAccount
    context: SyncContext
    syncs: dict[tuple[str, str], Sync] = field(default_factory=dict)
    problems: list[ReadProblem] = field(default_factory=list)
    open_jobs: int = 0

    @property
    def display_name(self) -> str:
        """Number and name of the account."""
        return f"{self.member.account} {self.member.name}".strip()


@dataclass(frozen=True, slots=True)
class _ScanJob:
    """Task of a thread: enter an account, or run one connector."""

    account: _AccountScan
    connector: str = ""
    region: str = ""


def is_organization(source: ScanSource) -> bool:
    """Return whether a source is a live AWS organization.

    Raises:
        UsageError: The role has no name.
    """
    return source.name == "aws-org" and fetch.is_live_location(source.location)


def scan_organization(
    store: EvidenceStore,
    source: ScanSource,
    context: SyncContext,
    regions: tuple[str, ...],
) -> list[ScanOutcome]:
    """Scan an AWS organization and each of its accounts into the store.

    Returns:
        The organization, then each account by number. The first outcome lists the
        accounts that refused access, and so does the snapshot.

    Raises:
        EnvironmentFailure: No access to the organization, or the session expired; the
            checkpoint keeps the finished accounts.
    """
    organization = fetch.scan_live_organization(source.location, context)
    key = (organization.id, source.location, regions, context.endpoint_url)
    checkpoint = resume_or_create_checkpoint(
        store.layout, repr(key), context.now, RESUME_WITHIN
    )
    scan = _OrganizationScan(store, context, regions, checkpoint)
    try:
        entries = scan.run(organization.members)
    except SessionExpired as error:
        kept = f"{len(scan.done)} of {len(organization.members)} accounts are kept"
        error.hint = f"{error.hint}; {kept}"
        raise
    refused = tuple(p for entry in entries if not entry.stored for p in entry.problems)
    sync = organization.sync
    sync = replace(sync, problems=(*sync.problems, *refused))
    stored = store_sync(store, sync, context.now)
    head = ScanOutcome(
        sync.source, source.name, (stored,), sync.problems, end=checkpoint.remove
    )
    return [head, *(_build_account_outcome(entry) for entry in entries if entry.stored)]


def _build_account_outcome(entry: _CheckpointEntry) -> ScanOutcome:
    """Build the scan outcome of one account from its checkpoint entry."""
    problems = tuple(p for sync in entry.stored for p in sync.problems)
    source = f"{_ACCOUNT}:{entry.account} (live)"
    return ScanOutcome(source, _ACCOUNT, entry.stored, (*entry.problems, *problems))


class _OrganizationScan:
    """Scan of the accounts of an organization.

    Attributes:
        done: Entries of scanned accounts, by number.
    """

    def __init__(
        self,
        store: EvidenceStore,
        context: SyncContext,
        regions: tuple[str, ...],
        checkpoint: ScanCheckpoint,
    ) -> None:
        self._store, self._context, self._regions = store, context, regions
        self._checkpoint = checkpoint
        self._stop, self._showing = Event(), Lock()
        self._total = 0
        found = (
            msgspec.json.decode(e, type=_CheckpointEntry) for e in checkpoint.entries
        )
        self.done = {entry.account: entry for entry in found}
        self._refused: dict[str, _CheckpointEntry] = {}

    def run(self, members: tuple[MemberAccount, ...]) -> list[_CheckpointEntry]:
        """Scan every account that is not in the checkpoint.

        Returns:
            An entry per account, by number.
        """
        self._total = len(members)
        waiting = iter([m for m in members if m.account not in self.done])
        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="aws-org")
        try:
            self._run_jobs(pool, waiting)
        finally:
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
        entries = self.done | self._refused
        return [entries[member.account] for member in members]

    def _run_jobs(
        self, pool: ThreadPoolExecutor, members: Iterator[MemberAccount]
    ) -> None:
        """Run the jobs of accounts in a thread pool, one open account per thread."""
        running: dict[Future[object], _ScanJob] = {}

        def submit(job: _ScanJob) -> None:
            job.account.open_jobs += 1
            running[pool.submit(self._run_connector_job, job)] = job

        def enter_next() -> None:
            member = next(members, None)
            if member is not None:
                submit(
                    _ScanJob(_AccountScan(member, self._build_account_context(member)))
                )

        for _ in range(WORKERS):
            enter_next()
        while running:
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                job = running.pop(future)
                for following in self._handle_job_result(job, future):
                    submit(following)
                job.account.open_jobs -= 1
                if not job.account.open_jobs:
                    self._finish_account(job.account)
                    enter_next()

    def _build_account_context(self, member: MemberAccount) -> SyncContext:
        """Build the context of an account: its role, and its progress report."""

        def progress(done: int, total: int, what: str) -> None:
            if self._stop.is_set():
                raise _ScanStopped
            self._report_progress(f"accounts; {member.account}: {what}")

        role = member.role_arn
        return replace(self._context, role_arn=role, progress=progress)

    def _report_progress(self, message: str) -> None:
        """Report how many accounts are done."""
        with self._showing:
            done = len(self.done) + len(self._refused)
            self._context.progress(done, self._total, message)

    def _run_connector_job(self, job: _ScanJob) -> object:
        """Run a connector in an account, or list its regions first."""
        if self._stop.is_set():
            raise _ScanStopped
        context = job.account.context
        if not job.connector:
            return fetch.list_regions(context)
        connector = registry.load_inventory_connector(job.connector)
        region = job.region or context.region
        return connector.sync("", replace(context, region=region))

    def _handle_job_result(
        self, job: _ScanJob, future: Future[object]
    ) -> list[_ScanJob]:
        """Process the result of a job and return its follow-up jobs."""
        account = job.account
        try:
            result = future.result()
        except SessionExpired:
            raise
        except AnswerableError as error:
            place = f"{account.display_name} {job.region}".strip()
            problem = ReadProblem(ReadProblemKind.PERMISSION, place, error.message)
            account.problems.append(problem)
            return []
        if isinstance(result, Sync):
            account.syncs[job.connector, job.region] = result
            return []
        regions = self._select_regions(account, result)
        places = [(_ACCOUNT, ""), *((_RESOURCES, region) for region in regions)]
        return [_ScanJob(account, connector, region) for connector, region in places]

    def _select_regions(self, account: _AccountScan, enabled: object) -> list[str]:
        """Select the regions to scan in an account, and report those not enabled."""
        if not isinstance(enabled, tuple):
            if not self._regions:
                what = "ec2:DescribeRegions is not allowed: no region was read"
                problem = ReadProblem(
                    ReadProblemKind.PERMISSION, account.display_name, what
                )
                account.problems.append(problem)
            return list(self._regions)
        for region in self._regions:
            if region not in enabled:
                what = f"region {region} is not enabled in this account"
                problem = ReadProblem(
                    ReadProblemKind.UNREADABLE, account.display_name, what
                )
                account.problems.append(problem)
        return [r for r in self._regions or enabled if r in enabled]

    def _finish_account(self, account: _AccountScan) -> None:
        """Store the result of an account; a failed one is scanned again next time."""
        fetch.forget_account_session(account.context)
        now = self._context.now
        stored = tuple(
            store_sync(self._store, account.syncs[place], now)
            for place in sorted(account.syncs)
        )
        number = account.member.account
        entry = _CheckpointEntry(number, stored, tuple(account.problems))
        if stored:
            self.done[number] = entry
            self._checkpoint.add(msgspec.json.encode(entry))
        else:
            self._refused[number] = entry
        self._report_progress("accounts")
