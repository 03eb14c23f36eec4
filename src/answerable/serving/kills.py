"""The kills in force: one file in the store, which every server of it watches.

One subject a line; behind tabs who killed it, when, why, and the kill that it ended
with, where that is known. Only the subject decides. The file is replaced whole, so it
is read whole, and it outlives a restart. Files of earlier releases, in the folders of
gateway and token service, count as well; so do those of servers that read another
store. A thread of each process looks four times a second: a kill waits neither for a
supervisor nor for an event loop that is busy with calls.
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

from answerable.enforce.kill import NO_KILLS, Kills, kill_subject
from answerable.flows.items import spelled_time
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.store.disk import make_folder, read_file, refused, write_file

EVERY = 0.25  # seconds

_HINT = "one subject a line; `answerable kill SUBJECT` writes it"
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_LONGEST = 500  # characters of who it was, and of a reason


@dataclass(frozen=True, slots=True)
class Note:
    """Facts about one kill that are shown, and decide nothing.

    Attributes:
        by: Who killed it, as the writer of the file said; empty where it did not.
        at: When, RFC 3339; likewise.
        reason: Why; likewise.
        ended_with: The kill that ended it: a delegation of a subject that was killed.
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
    """One file of kills.

    Args:
        folder: Where it lies: the store, or a server's own folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "kills"

    def read(self) -> Kills:
        """Read all kills; no file is none.

        Raises:
            EnvironmentRefused: It may not be read, or a line is no subject.
        """
        kills = self.find()
        return NO_KILLS if kills is None else kills

    def find(self) -> Kills | None:
        """Read all kills; None where there is no file.

        Raises:
            EnvironmentRefused: As `read`.
        """
        told = self.told()
        return None if told is None else frozenset(told)

    def told(self) -> Mapping[str, Note] | None:
        """Read all kills, and what is known of each; None where there is no file.

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
        """Put a kill in force, durable when this returns; False where it was already.

        Args:
            subject: What may do nothing.
            by: Who says so, to be shown.
            reason: Why, to be shown.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: The file cannot be written.
        """
        return self.kill_all((subject,), Note(by, reason=reason))

    def kill_all(self, subjects: Collection[str], note: Note) -> bool:
        """Put several kills in force in one write; False where all were already.

        Args:
            subjects: What may do nothing.
            note: Facts about each; the time is now.

        Raises:
            IdError: One names no subject; none is in force by this.
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
        # Who killed it first is who did: it changes nothing to kill it again.
        return self._change(lambda kills: {**fresh, **kills})

    def revive(self, subject: str) -> bool:
        """Take a kill back; False where there was none.

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
        """Tell one state of the file from another without reading it."""
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
            # A process of the folder's user has to read what root writes there.
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
    """Read a line; earlier releases wrote fewer columns."""
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
    """The kills of one store, and those of files that count as well.

    Args:
        store: Folder of the store, with the file that is written.
        others: Folders with files of earlier releases, or of servers apart.

    Attributes:
        shared: The store's file, which kills are written to.
        files: All that count. A store of another user, which this process may not
            enter, is not among them: its kills come in one of the other folders.
    """

    def __init__(self, store: Path, *others: Path) -> None:
        self.shared = KillFile(store)
        own = tuple(map(KillFile, dict.fromkeys(others)))
        self.files = (self.shared, *own) if self.shared.may_be_seen() else own

    def read(self) -> Kills:
        """Read all kills of all files.

        Raises:
            EnvironmentRefused: One may not be read, or a line is no subject.
        """
        return NO_KILLS.union(*(each.read() for each in self.files))

    def revive(self, subject: str) -> bool:
        """Take a kill back in each file where it stands; False where it did in none.

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
        """Read all kills, with the facts about each; the store's file goes first.

        Raises:
            EnvironmentRefused: As `read`.
        """
        known: dict[str, Note] = {}
        for each in reversed(self.files):
            known |= each.told() or {}
        return known


class Bound(Protocol):
    """An object that decides in a process, and is bound by the kills."""

    @property
    def kills(self) -> Kills:
        """Subjects that may do nothing."""

    def hold_kills(self, kills: Kills) -> None:
        """Decide by these kills from now on; called in a thread of its own."""

    def set_kills(self, kills: Kills) -> None:
        """Decide by these kills, and cut what they forbid; called in the event loop."""


class _Watched:
    """One file as it was read last."""

    def __init__(self, file: KillFile) -> None:
        self._file = file
        self._stamp = file.stamp()
        found = file.find()
        self._was_there, self.kills = found is not None, found or NO_KILLS

    def look(self) -> str:
        """Read it where it has changed; say why that cannot be, else nothing."""
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return ""
        try:
            kills = self._file.find()
        except EnvironmentRefused as error:
            return error.message
        if kills is None:
            # Taking a kill back leaves the file there.
            return f"{self._file.path} is gone" if self._was_there else ""
        # Only now: a file that could not be read is read again.
        self._stamp, self._was_there, self.kills = stamp, True, kills
        return ""


class KillWatch:
    """Puts the kills of a list in force in one process, and keeps them so.

    A thread reads the files and has them hold at once, however busy the event loop is.
    Streams are cut, and the rest is told, in the loop.

    Args:
        kills: The list.
        bound: Decides in this process.
        loop: Its event loop.
        changed: Is told which subjects were killed, and which revived.
        refused: Is told why a file cannot be read, or that it is gone. Kills that were
            in force stay so.

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
        """Look no more."""
        self._ended.set()
        self._thread.join(1)

    def look(self) -> None:
        """Put in force what the files say now, without waiting for the next look."""
        self._look()
        self._settle()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY) and not self._loop.is_closed():
            try:
                more = self._look()
            except Exception as error:  # noqa: BLE001 - without this thread no kill holds
                self._why = f"the kills cannot be read ({type(error).__name__})"
                more = self._why != self._said
            if more:
                with contextlib.suppress(RuntimeError):  # the loop has just ended
                    self._loop.call_soon_threadsafe(self._settle)

    def _look(self) -> bool:
        """Read what has changed, and have it hold; say whether more is to be done."""
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
        """Cut what is killed, and tell of what has changed."""
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
