"""Revocation list: one file in the store, which every server of the store watches.

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

from answerable.authorization.revocations import NO_KILLS, Kills, kill_subject
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.presentation.inventory_items import spelled_time
from answerable.store.durable_files import make_folder, read_file, refused, write_file

EVERY = 0.25  # seconds

_HINT = "one subject a line; `answerable kill SUBJECT` writes it"
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_LONGEST = 500  # characters of an author, and of a reason


@dataclass(frozen=True, slots=True)
class Note:
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


_Noted = Mapping[str, Note]


class KillFile:
    """One file of revocations.

    Args:
        folder: Its folder: the store, or a server's state folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "kills"

    def read(self) -> Kills:
        """Read all revoked subjects; a missing file has none.

        Raises:
            EnvironmentRefused: It may not be read, or a line is no subject.
        """
        kills = self.find()
        return NO_KILLS if kills is None else kills

    def find(self) -> Kills | None:
        """Read all revoked subjects; None where there is no file.

        Raises:
            EnvironmentRefused: As `read`.
        """
        told = self.told()
        return None if told is None else frozenset(told)

    def told(self) -> Mapping[str, Note] | None:
        """Read all revocations with their facts; None where there is no file.

        Raises:
            EnvironmentRefused: As `read`.
        """
        try:
            text = read_file(self.path).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        try:
            return dict(map(_read, filter(None, text.splitlines())))
        except AnswerableError as error:
            raise EnvironmentRefused(f"{self.path}: {error.message}", _HINT) from None

    def kill(self, subject: str, by: str = "", reason: str = "") -> bool:
        """Revoke a subject, durable on return; False where it was revoked already.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: The file cannot be written.
        """
        return self.kill_all((subject,), Note(by, reason=reason))

    def kill_all(self, subjects: Collection[str], note: Note) -> bool:
        """Revoke several subjects in one write; False where all were revoked already.

        Args:
            subjects: Subjects to revoke.
            note: Facts about each; the time is now.

        Raises:
            IdError: One names no subject; none is revoked by this.
            EnvironmentRefused: As `kill`.
        """
        if not subjects:
            return False
        note = Note(
            _shown(note.by),
            spelled_time(time.time_ns()),
            _shown(note.reason),
            note.ended_with,
        )
        fresh = {kill_subject(each): note for each in subjects}
        # The first author stays: another revocation changes nothing.
        return self._change(lambda kills: {**fresh, **kills})

    def revive(self, subject: str) -> bool:
        """Reinstate a subject; False where it was not revoked.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: The file cannot be written.
        """
        kill_subject(subject)
        return self._change(
            lambda kills: {each: kills[each] for each in kills if each != subject}
        )

    def may_be_seen(self) -> bool:
        """Tell whether this process may enter the folder."""
        try:
            self.path.stat()
        except PermissionError:
            return False
        except OSError:
            return True
        return True

    def stamp(self) -> tuple[int, int, int]:
        """Return inode, modification time and size, to detect a change."""
        try:
            facts = self.path.stat()
        except OSError:
            return 0, 0, 0
        return facts.st_ino, facts.st_mtime_ns, facts.st_size

    def _change(self, change: Callable[[_Noted], _Noted]) -> bool:
        folder = self.path.parent
        make_folder(folder)
        with refused("open", folder):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            facts = os.fstat(handle)
            # A file written by root must be readable by the folder's user.
            owner = None if os.geteuid() else (facts.st_uid, facts.st_gid)
            before = self.told() or MappingProxyType({})
            after = change(before)
            if after == before and self.path.exists():
                return False
            lines = "".join(map(_line, sorted(after.items())))
            write_file(self.path, lines.encode(), owner=owner)
            return after.keys() != before.keys()
        finally:
            os.close(handle)


def _read(line: str) -> tuple[str, Note]:
    """Parse a line; earlier releases wrote fewer columns."""
    subject, by, at, reason, ended_with = (line.split("\t") + [""] * 4)[:5]
    time = at if _AT.fullmatch(at) else ""
    return kill_subject(subject), Note(
        _shown(by), time, _shown(reason), _shown(ended_with)
    )


def _shown(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:_LONGEST]


def _line(kill: tuple[str, Note]) -> str:
    subject, note = kill
    columns = (subject, note.by, note.at, note.reason, note.ended_with)
    return "\t".join(columns).rstrip("\t") + "\n"


class KillList:
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
        self.shared = KillFile(store)
        own = tuple(map(KillFile, dict.fromkeys(others)))
        self.files = (self.shared, *own) if self.shared.may_be_seen() else own

    def read(self) -> Kills:
        """Read all revoked subjects of all files.

        Raises:
            EnvironmentRefused: One may not be read, or a line is no subject.
        """
        return NO_KILLS.union(*(each.read() for each in self.files))

    def revive(self, subject: str) -> bool:
        """Reinstate a subject in each file; False where no file has it.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: A file cannot be read or written.
        """
        kill_subject(subject)
        standing = [each for each in self.files if subject in (each.told() or {})]
        for each in standing:
            each.revive(subject)
        return bool(standing)

    def told(self) -> _Noted:
        """Read all revocations with their facts; the store's file takes precedence.

        Raises:
            EnvironmentRefused: As `read`.
        """
        known: dict[str, Note] = {}
        for each in reversed(self.files):
            known |= each.told() or {}
        return known


class Bound(Protocol):
    """Decision point that applies revocations."""

    @property
    def kills(self) -> Kills:
        """Revoked subjects."""

    def hold_kills(self, kills: Kills) -> None:
        """Apply these revocations from now on; called in another thread."""

    def set_kills(self, kills: Kills) -> None:
        """Apply these revocations, and cut open calls; called in the event loop."""


class _Watched:
    """Last read state of one file."""

    def __init__(self, file: KillFile) -> None:
        self._file = file
        self._stamp = file.stamp()
        found = file.find()
        self._was_there, self.kills = found is not None, found or NO_KILLS

    def look(self) -> str:
        """Read a changed file; return an error message, else an empty string."""
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return ""
        try:
            kills = self._file.find()
        except EnvironmentRefused as error:
            return error.message
        if kills is None:
            # A reinstatement does not remove the file.
            return f"{self._file.path} is gone" if self._was_there else ""
        # Only now: a file that could not be read is read again.
        self._stamp, self._was_there, self.kills = stamp, True, kills
        return ""


class KillWatch:
    """Watch over a revocation list, which applies it in one process.

    A thread reads the files and applies them at once, however busy the event loop is.
    Streams are cut, and changes reported, in the loop.

    Args:
        bound: Decision point of this process.
        loop: Event loop of the process.
        changed: Called with the revoked and the reinstated subjects.
        refused: Called with the reason where a file is unreadable or gone. Its
            revocations stay in force.

    Raises:
        EnvironmentRefused: A file cannot be read at the start.
    """

    def __init__(
        self,
        kills: KillList,
        bound: Bound,
        loop: asyncio.AbstractEventLoop,
        changed: Callable[[Kills, Kills], None],
        refused: Callable[[str], None],
    ) -> None:
        self._bound, self._loop = bound, loop
        self._changed, self._refused = changed, refused
        self._looking = threading.Lock()
        self._ended = threading.Event()
        self._why = self._said = ""  # a file was refused the last time
        self._files = [_Watched(each) for each in kills.files]
        self._latest = self._settled = self._union()
        bound.set_kills(self._latest)
        self._thread = threading.Thread(target=self._watch, name="kills", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the watch."""
        self._ended.set()
        self._thread.join(1)

    def look(self) -> None:
        """Apply the files as they are now, without waiting for the next poll."""
        self._look()
        self._settle()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY) and not self._loop.is_closed():
            try:
                more = self._look()
            except Exception as error:  # noqa: BLE001 - this thread must not end
                self._why = f"the kills cannot be read ({type(error).__name__})"
                more = self._why != self._said
            if more:
                with contextlib.suppress(RuntimeError):  # the loop has just ended
                    self._loop.call_soon_threadsafe(self._settle)

    def _look(self) -> bool:
        """Read and apply changed files; tell whether the loop has work."""
        with self._looking:
            why = "; ".join(filter(None, (each.look() for each in self._files)))
            kills = self._union()
            more = kills != self._latest or why != self._why
            self._latest = kills
            if kills != self._bound.kills:
                self._bound.hold_kills(kills)
            self._why = why
        return more

    def _settle(self) -> None:
        """Cut open calls of revoked subjects, and report changes."""
        before, kills, why = self._settled, self._latest, self._why
        if kills != before:
            self._settled = kills
            self._bound.set_kills(kills)
            self._changed(kills - before, before - kills)
        if why and why != self._said:
            self._refused(why)
        self._said = why

    def _union(self) -> Kills:
        return NO_KILLS.union(*(each.kills for each in self._files))
