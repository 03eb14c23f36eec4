"""Registry of runs: find the run of a process, by the agents that launchers started.

A process belongs to a run if its parents, each held while the next is looked up, lead
to the started process, or to the launcher: that one adopts orphans of its run
(`PR_SET_CHILD_SUBREAPER`) and starts nothing else. Orphans without a launcher belong to
no run. A run ends with the started process, even if descendants are left; and a
process of another user does not belong to it. Session, process group and terminal do
not count: a process may leave the first two, and any of the same user may write to the
third.

Each run is a file in the state folder, so that all processes of a service, and the next
one after a restart, know it. A file counts only while the process that it names is
alive: same boot, same pid, same start time.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from answerable.model.ids import AgentId
from answerable.model.workload_attestation import ProcessIdentity
from answerable.server.processes.pidfd_process import (
    NotAttested,
    PidfdProcess,
    ProcessGone,
    open_parent_process,
    open_pidfd,
    read_boot_id,
    read_proc_file,
)
from answerable.server.processes.proc_parsing import parse_start_time
from answerable.store.durable_files import (
    make_private_folder,
    read_file,
    sync_folder,
    write_file,
)

MAX_RUNS = 4096  # living runs
MAX_RUNS_PER_USER = 256  # started by one user
MAX_GENERATIONS = 128  # from a process up to the one that was started
FOLDER = "runs"
_TICK = 100_000_000  # nanoseconds; stamps of a local file system are finer
_TRIES = 4  # to walk up, while those above come and go


@dataclass(frozen=True, slots=True)
class RegisteredRun:
    """One start of an agent.

    Attributes:
        id: 32 hex digits.
        agent: Id of the agent.
        rule: Id of the rule that allowed it.
        launcher: Process that started it.
        started_by: User of the launcher.
        uid: User that it runs as.
        program: Absolute path of the program.
        argv_sha256: Digest of its arguments, each followed by a zero byte, hex.
        config_sha256: Digest of the agent's configuration, hex, or empty.
        since: NumericDate of its start.
    """

    id: str
    agent: AgentId
    rule: str
    process: ProcessIdentity
    launcher: ProcessIdentity
    started_by: int
    uid: int
    gid: int
    program: str
    argv_sha256: str
    config_sha256: str
    since: int

    @property
    def name(self) -> str:
        """Name in attestations and delegations."""
        return f"run:{self.id}"

    @property
    def is_advisory(self) -> bool:
        """True where other processes of its user can impersonate it."""
        return self.uid == self.started_by


class _LiveRun:
    """Run whose process and launcher are held."""

    def __init__(
        self, run: RegisteredRun, process: PidfdProcess, launcher: PidfdProcess | None
    ) -> None:
        self.run, self.process, self.launcher = run, process, launcher

    def close(self) -> None:
        """Close the pidfds of the process and its launcher."""
        self.process.close()
        if self.launcher is not None:
            self.launcher.close()


class RunRegistry:
    """Thread-safe registry of the runs of a service.

    Args:
        state: State folder of the service.
        ended: Called for each run whose end this process notices first.

    Raises:
        EnvironmentFailure: The folder cannot be used.
    """

    def __init__(
        self, state: Path, ended: Callable[[RegisteredRun], None] = lambda _: None
    ) -> None:
        self._folder = state / FOLDER
        self._ended = ended
        self._living: dict[str, _LiveRun] = {}
        self._roots: dict[int, _LiveRun] = {}  # by number
        self._launchers: dict[int, _LiveRun] = {}
        self._stamp = -1  # of the folder when it was read, -1 where that may be stale
        self._lock = threading.RLock()
        make_private_folder(self._folder)
        self.refresh_runs()

    def __iter__(self) -> Iterator[RegisteredRun]:
        """Yield the runs that are alive."""
        with self._lock:
            self.refresh_runs()
            return iter([each.run for each in self._living.values()])

    def close(self) -> None:
        """Release all runs; they continue, and the next process reads the folder."""
        with self._lock:
            for name in list(self._living):
                self._drop_run(name)

    def find_by_process(self, process: PidfdProcess) -> RegisteredRun | None:
        """Find the run that a process descends from, if its user is the run's user.

        Raises:
            ProcessGone: It ended, or was orphaned, while its parents were looked up.
        """
        run = self.find_ancestor_run(process)
        if run is None:
            return None
        return run if set(process.read_credentials().uids) == {run.uid} else None

    def find_ancestor_run(self, process: PidfdProcess) -> RegisteredRun | None:
        """Find the run that a process descends from, whatever its user is now.

        Raises:
            ProcessGone: As `find_by_process`.
        """
        with self._lock:
            self._reload_run_files()
            if not self._living:
                return None
            for _ in range(_TRIES):
                try:
                    return self._find_nearest_run(process)
                except ProcessGone:
                    # A parent between may have ended, as shells do. Is this one alive?
                    process.check_alive()
        raise ProcessGone

    def _find_nearest_run(self, process: PidfdProcess) -> RegisteredRun | None:
        """Find the registered run of a process or its nearest ancestor."""
        found: RegisteredRun | None = None
        with ExitStack() as held:
            each: PidfdProcess | None = process
            for generation in range(MAX_GENERATIONS):
                if each is None:
                    break
                found = self._find_run_by_root(each, is_orphan=generation > 0)
                if found is not None:
                    break
                each = open_parent_process(each)
                if each is not None:
                    held.enter_context(each)
        # Each was alive when its parent was read, and this one still is.
        process.check_alive()
        return found

    def register_run(
        self, run: RegisteredRun, process: PidfdProcess, launcher: PidfdProcess
    ) -> None:
        """Register a run, on disk on return.

        Args:
            run: Checked run.
            process: Held process that was started; kept here.
            launcher: Held process that started it; kept here.

        Raises:
            EnvironmentFailure: It cannot be written.
        """
        with self._lock:
            write_file(self._folder / run.id, msgspec.json.encode(run))
            self._index_run(_LiveRun(run, process, launcher))

    def find_by_launcher(self, launcher: PidfdProcess) -> RegisteredRun | None:
        """Find the run of a launcher process that is still alive."""
        with self._lock:
            self.refresh_runs()
            living = self._launchers.get(launcher.pid)
            if living is None or living.launcher is None:
                return None
            launcher.check_alive()
            return None if living.launcher.has_ended() else living.run

    def find_by_id(self, id: str) -> RegisteredRun | None:
        """Find a run by its id, unless its end was noticed."""
        with self._lock:
            self._reload_run_files()
            living = self._living.get(id)
        return None if living is None else living.run

    def end_run(self, run: RegisteredRun) -> None:
        """Remove a run that has ended, and report it."""
        with self._lock:
            self._drop_run(run.id)
        try:
            (self._folder / run.id).unlink()
        except FileNotFoundError:
            return  # another process of the service was first
        sync_folder(self._folder)
        self._ended(run)

    def refresh_runs(self) -> None:
        """Load new runs from disk, and drop runs whose process has ended."""
        with self._lock:
            self._reload_run_files()
            for each in list(self._living.values()):
                if each.process.has_ended():
                    self.end_run(each.run)

    def is_full(self, started_by: int) -> bool:
        """Return whether no more runs can be registered for a user."""
        with self._lock:
            theirs = [
                each.run.started_by == started_by for each in self._living.values()
            ]
        return len(theirs) >= MAX_RUNS or sum(theirs) >= MAX_RUNS_PER_USER

    def _find_run_by_root(
        self, process: PidfdProcess, *, is_orphan: bool
    ) -> RegisteredRun | None:
        """Return the run whose first process this is, or whose launcher adopted it.

        Two processes that are alive at once have two pids: equal pids mean the same
        process.
        """
        living = self._roots.get(process.pid)
        if living is None and is_orphan:
            living = self._launchers.get(process.pid)
            if living is None or living.launcher is None:
                return None
            if living.launcher.has_ended():
                return None
        if living is None:
            return None
        if living.process.has_ended():
            self.end_run(living.run)
            return None
        process.check_alive()
        return living.run

    def _reload_run_files(self) -> None:
        """Load new runs of the folder; drop those no longer there."""
        stamp = self._folder.stat().st_mtime_ns
        if stamp == self._stamp:
            return
        # A second change within one tick of the clock would leave the same stamp.
        self._stamp = stamp if time.time_ns() - stamp > _TICK else -1
        names = {
            each.name
            for each in os.scandir(self._folder)
            if is_run_file_name(each.name)
        }
        for gone in self._living.keys() - names:
            self._drop_run(gone)
        for name in names - self._living.keys():
            self._load_run(name)

    def _index_run(self, live_run: _LiveRun) -> None:
        """Add a run to the indexes by id, process and launcher."""
        self._living[live_run.run.id] = live_run
        self._roots[live_run.process.pid] = live_run
        if live_run.launcher is not None:
            self._launchers[live_run.launcher.pid] = live_run

    def _drop_run(self, id: str) -> None:
        """Remove a run from the indexes, and release its processes."""
        living = self._living.pop(id, None)
        if living is None:
            return
        # The pid may belong to another run by now.
        if self._roots.get(living.process.pid) is living:
            del self._roots[living.process.pid]
        launcher = living.launcher
        if launcher is not None and self._launchers.get(launcher.pid) is living:
            del self._launchers[launcher.pid]
        living.close()

    def _load_run(self, run_id: str) -> None:
        """Load one run from its file, and drop it if its process has ended."""
        try:
            run = msgspec.json.decode(
                read_file(self._folder / run_id), type=RegisteredRun
            )
        except FileNotFoundError:
            return
        except msgspec.DecodeError:
            run = None
        if run is None or run.id != run_id:
            # Not our file, or an incomplete one; no process belongs to it.
            (self._folder / run_id).unlink(missing_ok=True)
            return
        process = reopen_process(run.process)
        if process is None:
            self.end_run(run)
            return
        self._index_run(_LiveRun(run, process, reopen_process(run.launcher)))


def is_run_file_name(name: str) -> bool:
    """Return whether a file name is a run's; others may be incomplete."""
    return len(name) == 32 and set(name) <= set("0123456789abcdef")


def identify_process(process: PidfdProcess) -> ProcessIdentity:
    """Return an identity of a process that is never reused: boot, pid, start.

    Raises:
        ProcessGone: It ended, or is not readable.
    """
    start = process.read_facts(
        lambda folder: parse_start_time(read_proc_file(folder / "stat"))
    )
    return ProcessIdentity(read_boot_id(), process.pid, start)


def reopen_process(identity: ProcessIdentity) -> PidfdProcess | None:
    """Open a pidfd of a process that was identified earlier; None if it ended."""
    if identity.boot != read_boot_id():
        return None
    try:
        hold = PidfdProcess(open_pidfd(identity.pid), identity.pid)
    except ProcessGone:
        return None
    try:
        if identify_process(hold) == identity:
            return hold
    except NotAttested:
        pass
    hold.close()
    return None
