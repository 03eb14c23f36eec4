"""Read, write and watch the revocation list: one file in the store for all servers.

One subject per line; after tabs, where known: author, time, reason, and the revocation
that it ended with. Only the subject decides. The file is replaced atomically and
survives a restart. Files of earlier releases, in the folders of gateway and token
service, count as well; so do those of servers that read another store. A thread of each
process polls four times a second: a revocation needs neither a supervisor nor an idle
event loop.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from answerable.authorization.revocations import (
    NO_REVOCATIONS,
    Revocations,
    parse_revocation_subject,
)
from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.presentation.inventory_items import format_time
from answerable.store.bucket import refuse_remote_folder
from answerable.store.durable_files import (
    make_private_folder,
    read_file,
    translate_os_errors,
    write_file,
)

POLL_INTERVAL = 0.25  # seconds

_HINT = "one subject a line; `answerable kill SUBJECT` writes it"
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MAX_TEXT = 500  # characters of an author, and of a reason


@dataclass(frozen=True, slots=True)
class RevocationNote:
    """Facts about one revocation, for display only.

    Attributes:
        by: Author, as recorded in the file; empty where unknown.
        at: Time, RFC 3339; empty where unknown.
        reason: Reason; empty where unknown.
        ended_with: Revocation that ended this delegation.
    """

    by: str = ""
    at: str = ""
    reason: str = ""
    ended_with: str = ""

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        said = f"{by} at {self.at}" if self.at else by
        return f"{said}: {self.reason}" if self.reason else said


_NotesBySubject = Mapping[str, RevocationNote]


class RevocationFile:
    """One file of revocations, in a server's state folder or a local store."""

    def __init__(self, folder: Path) -> None:
        refuse_remote_folder(folder, "revocations")
        self.path = folder / "kills"

    def read_subjects(self) -> Revocations:
        """Read all revoked subjects; a missing file has none.

        Raises:
            EnvironmentFailure: It may not be read, or a line is no subject.
        """
        kills = self.find_subjects()
        return NO_REVOCATIONS if kills is None else kills

    def find_subjects(self) -> Revocations | None:
        """Read all revoked subjects; None where the file does not exist.

        Raises:
            EnvironmentFailure: As `read_subjects`.
        """
        told = self.read_revocations()
        return None if told is None else frozenset(told)

    def read_revocations(self) -> Mapping[str, RevocationNote] | None:
        """Read each revocation with its reason, time and signer; None without a file.

        Raises:
            EnvironmentFailure: As `read_subjects`.
        """
        try:
            text = read_file(self.path).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        try:
            return dict(map(_parse_line, filter(None, text.splitlines())))
        except AnswerableError as error:
            raise EnvironmentFailure(f"{self.path}: {error.message}", _HINT) from None

    def revoke(self, subject: str, by: str = "", reason: str = "") -> bool:
        """Revoke a subject, durable on return; False where it was revoked already.

        Raises:
            IdError: It names no subject.
            EnvironmentFailure: The file cannot be written.
        """
        return self.revoke_all((subject,), RevocationNote(by, reason=reason))

    def revoke_all(self, subjects: Collection[str], note: RevocationNote) -> bool:
        """Revoke several subjects in one write; False where all were revoked already.

        Args:
            subjects: Subjects to revoke.
            note: Facts about each; the time is now.

        Raises:
            IdError: One names no subject; none is revoked by this.
            EnvironmentFailure: As `revoke`.
        """
        if not subjects:
            return False
        note = RevocationNote(
            _keep_printable(note.by),
            format_time(time.time_ns()),
            _keep_printable(note.reason),
            note.ended_with,
        )
        fresh = {parse_revocation_subject(each): note for each in subjects}
        # The first author stays: another revocation changes nothing.
        return self._change_under_lock(lambda kills: {**fresh, **kills})

    def reinstate(self, subject: str) -> bool:
        """Reinstate a subject; False where it was not revoked.

        Raises:
            IdError: It names no subject.
            EnvironmentFailure: The file cannot be written.
        """
        parse_revocation_subject(subject)
        return self._change_under_lock(
            lambda kills: {each: kills[each] for each in kills if each != subject}
        )

    def is_accessible(self) -> bool:
        """Return whether this process may enter the folder."""
        try:
            self.path.stat()
        except PermissionError:
            return False
        except OSError:
            return True
        return True

    def file_stamp(self) -> tuple[int, int, int]:
        """Return inode, modification time and size of the file, to detect a change."""
        try:
            facts = self.path.stat()
        except OSError:
            return 0, 0, 0
        return facts.st_ino, facts.st_mtime_ns, facts.st_size

    def _change_under_lock(
        self, change: Callable[[_NotesBySubject], _NotesBySubject]
    ) -> bool:
        """Change the file under a lock; return whether the subjects changed."""
        folder = self.path.parent
        make_private_folder(folder)
        with translate_os_errors("open", folder):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            facts = os.fstat(handle)
            # A file written by root must be readable by the folder's user.
            owner = None if os.geteuid() else (facts.st_uid, facts.st_gid)
            before = self.read_revocations() or MappingProxyType({})
            after = change(before)
            if after == before and self.path.exists():
                return False
            lines = "".join(map(_format_line, sorted(after.items())))
            write_file(self.path, lines.encode(), owner=owner)
            return after.keys() != before.keys()
        finally:
            os.close(handle)


def _parse_line(line: str) -> tuple[str, RevocationNote]:
    """Parse a line; earlier releases wrote fewer columns."""
    subject, by, at, reason, ended_with = (line.split("\t") + [""] * 4)[:5]
    time = at if _TIMESTAMP.fullmatch(at) else ""
    return parse_revocation_subject(subject), RevocationNote(
        _keep_printable(by), time, _keep_printable(reason), _keep_printable(ended_with)
    )


def _keep_printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:_MAX_TEXT]


def _format_line(revocation: tuple[str, RevocationNote]) -> str:
    """Format a revocation as a line of the file, fields separated by tabs."""
    subject, note = revocation
    columns = (subject, note.by, note.at, note.reason, note.ended_with)
    return "\t".join(columns).rstrip("\t") + "\n"


class RevocationList:
    """Revocations of one store, and of further files that count.

    Args:
        store: Folder of the store, with the file that is written.
        others: Folders with files of earlier releases, or of servers with another
            store.

    Attributes:
        shared: File of the store, which is written.
        files: All files that count. A store of another user that this process may not
            enter is not among them: its revocations are in one of the other folders.
    """

    def __init__(self, store: Path, *others: Path) -> None:
        self.shared = RevocationFile(store)
        own = tuple(map(RevocationFile, dict.fromkeys(others)))
        self.files = (self.shared, *own) if self.shared.is_accessible() else own

    def read_subjects(self) -> Revocations:
        """Read all revoked subjects of all files.

        Raises:
            EnvironmentFailure: One may not be read, or a line is no subject.
        """
        return NO_REVOCATIONS.union(*(each.read_subjects() for each in self.files))

    def reinstate(self, subject: str) -> bool:
        """Reinstate a subject in each file; False where no file has it.

        Raises:
            IdError: It names no subject.
            EnvironmentFailure: A file cannot be read or written.
        """
        parse_revocation_subject(subject)
        lists = [f for f in self.files if subject in (f.read_revocations() or {})]
        for each in lists:
            each.reinstate(subject)
        return bool(lists)

    def read_revocations(self) -> _NotesBySubject:
        """Read each revocation with its reason; the store's file takes precedence.

        Raises:
            EnvironmentFailure: As `read_subjects`.
        """
        known: dict[str, RevocationNote] = {}
        for each in reversed(self.files):
            known |= each.read_revocations() or {}
        return known


class RevocationTarget(Protocol):
    """Decision point that applies revocations."""

    @property
    def revocations(self) -> Revocations:
        """Revoked subjects, which are denied from now on."""

    def apply_revocations(self, revocations: Revocations) -> None:
        """Apply these revocations from now on; called in another thread."""

    def update_revocations(self, revocations: Revocations) -> None:
        """Apply these revocations, and cut open calls; called in the event loop."""


class _WatchedFile:
    """Last read state of one file."""

    def __init__(self, file: RevocationFile) -> None:
        self._file = file
        self._stamp = file.file_stamp()
        found = file.find_subjects()
        self._was_there, self.kills = found is not None, found or NO_REVOCATIONS

    def refresh(self) -> str:
        """Read a changed file; return an error message, else an empty string."""
        stamp = self._file.file_stamp()
        if stamp == self._stamp:
            return ""
        try:
            kills = self._file.find_subjects()
        except EnvironmentFailure as error:
            return error.message
        if kills is None:
            # A reinstatement does not remove the file.
            return f"{self._file.path} was deleted" if self._was_there else ""
        # Only now: a file that could not be read is read again.
        self._stamp, self._was_there, self.kills = stamp, True, kills
        return ""


class RevocationWatch:
    """Watch over a revocation list, which applies it in one process.

    A thread reads the files and applies them at once, however busy the event loop is.
    Streams are cut, and changes reported, in the loop.

    Args:
        bound: Decision point of this process; None without one.
        loop: Event loop of the process.
        changed: Called with the revoked and the reinstated subjects.
        refused: Called with the reason where a file is unreadable or gone. Its
            revocations stay in force.

    Attributes:
        revocations: Subjects that are revoked now.

    Raises:
        EnvironmentFailure: A file cannot be read at the start.
    """

    def __init__(
        self,
        kills: RevocationList,
        bound: RevocationTarget | None,
        loop: asyncio.AbstractEventLoop,
        changed: Callable[[Revocations, Revocations], None],
        refused: Callable[[str], None],
    ) -> None:
        self._bound, self._loop = bound, loop
        self._changed, self._refused = changed, refused
        self._looking, self._ended = threading.Lock(), threading.Event()
        self._why = self._said = ""  # a file was refused the last time
        self._files = [_WatchedFile(each) for each in kills.files]
        self.revocations = self._settled = self._all_revoked()
        if bound is not None:
            bound.update_revocations(self.revocations)
        self._thread = threading.Thread(
            target=self._watch_loop, name="kills", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop watching the revocation lists."""
        self._ended.set()
        self._thread.join(1)

    def refresh(self) -> None:
        """Apply the files as they are now, without waiting for the next poll."""
        self._refresh_files()
        self._apply_changes()

    def _watch_loop(self) -> None:
        """Poll the files until closed; the body of the watch thread."""
        while not self._ended.wait(POLL_INTERVAL) and not self._loop.is_closed():
            try:
                more = self._refresh_files()
            except Exception as error:  # noqa: BLE001 - this thread must not end
                self._why = f"cannot read the revocation list ({type(error).__name__})"
                more = self._why != self._said
            if more:
                with contextlib.suppress(RuntimeError):  # the loop has just ended
                    self._loop.call_soon_threadsafe(self._apply_changes)

    def _refresh_files(self) -> bool:
        """Read changed files; return whether the event loop has changes to apply."""
        with self._looking:
            why = "; ".join(filter(None, (each.refresh() for each in self._files)))
            kills = self._all_revoked()
            more = kills != self.revocations or why != self._why
            self.revocations = kills
            if self._bound is not None and kills != self._bound.revocations:
                self._bound.apply_revocations(kills)
            self._why = why
        return more

    def _apply_changes(self) -> None:
        """Cut open calls of revoked subjects, and report changes."""
        before, kills, why = self._settled, self.revocations, self._why
        if kills != before:
            self._settled = kills
            if self._bound is not None:
                self._bound.update_revocations(kills)
            self._changed(kills - before, before - kills)
        if why and why != self._said:
            self._refused(why)
        self._said = why

    def _all_revoked(self) -> Revocations:
        """Return the revoked subjects of all files."""
        return NO_REVOCATIONS.union(*(each.kills for each in self._files))
