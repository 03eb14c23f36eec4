"""The kills in force: a file in the state folder that every process watches.

One subject a line, and behind a tab who killed it and when, where that is known: shown
to whoever wants to know, and no part of what is in force. It is replaced whole, so it is read whole, and it outlives a restart.
A process looks at it four times a second, whoever else still runs: a kill needs no
supervisor to take hold.
"""

import asyncio
import fcntl
import os
import re
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

_HINT = "one subject a line; `answerable gateway kill SUBJECT` writes it"
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_LONGEST = 500  # characters of who it was


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of one kill beside its subject.

    Attributes:
        by: Who killed it, as whoever wrote the file said; empty where nobody did.
        at: When, RFC 3339; likewise.
    """

    by: str = ""
    at: str = ""

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        return f"{by} at {self.at}" if self.at else by


_Noted = Mapping[str, Note]


class KillFile:
    """The file.

    Args:
        state: The gateway's own folder.
    """

    def __init__(self, state: Path) -> None:
        self.path = state / "kills"

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

    def kill(self, subject: str, by: str = "") -> bool:
        """Put a kill in force, durable when this returns; False where it was already.

        Args:
            subject: What may do nothing.
            by: Who says so, to be shown.

        Raises:
            IdError: It names no subject.
            EnvironmentRefused: The file cannot be written.
        """
        return self.kill_all((subject,), by)

    def kill_all(self, subjects: Collection[str], by: str = "") -> bool:
        """Put several kills in force in one write; False where all were already.

        Raises:
            IdError: One names no subject; none is in force by this.
            EnvironmentRefused: As `kill`.
        """
        if not subjects:
            return False
        note = Note(_shown(by), spelled_time(time.time_ns()))
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
            lines = "".join(map(_line, sorted(after.items())))
            write_file(self.path, lines.encode(), owner=owner)
            return after.keys() != before.keys()
        finally:
            os.close(handle)


def _read(line: str) -> tuple[str, Note]:
    """Read a line; files of before have the subject alone."""
    subject, _, rest = line.partition("\t")
    by, _, at = rest.partition("\t")
    return kill_subject(subject), Note(_shown(by), at if _AT.fullmatch(at) else "")


def _shown(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:_LONGEST]


def _line(kill: tuple[str, Note]) -> str:
    subject, note = kill
    return "\t".join((subject, note.by, note.at)).rstrip("\t") + "\n"


class Bound(Protocol):
    """Whatever decides in a process, and is bound by the kills."""

    @property
    def kills(self) -> Kills:
        """Subjects that may do nothing."""

    def set_kills(self, kills: Kills) -> None:
        """Put these kills in force."""


class KillWatch:
    """Puts what the file says in force, in one process.

    Args:
        file: The file.
        bound: Decides in this process.
        loop: Its event loop.
        changed: Told which subjects were killed, and which revived.
        refused: Told why the file cannot be read, or that it is gone: taking a kill
            back leaves the file there. What was in force stays so.

    Raises:
        EnvironmentRefused: It cannot be read at the start.
    """

    def __init__(
        self,
        file: KillFile,
        bound: Bound,
        loop: asyncio.AbstractEventLoop,
        changed: Callable[[Kills, Kills], None],
        refused: Callable[[str], None],
    ) -> None:
        self._file, self._bound, self._loop = file, bound, loop
        self._changed, self._refused = changed, refused
        self._why = ""  # it was refused the last time
        self._stamp = file.stamp()
        bound.set_kills(file.read())
        self._timer = loop.call_later(EVERY, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(EVERY, self._look)
        self.look()

    def look(self) -> None:
        """Put in force what the file says now, without waiting for the next look."""
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return
        try:
            kills = self._file.find()
        except EnvironmentRefused as error:
            self._refuse(error.message)
            return
        if kills is None:
            self._refuse(f"{self._file.path} is gone")
            return
        # Only now: what could not be read is tried again.
        self._stamp, self._why = stamp, ""
        before = self._bound.kills
        self._bound.set_kills(kills)
        self._changed(kills - before, before - kills)

    def _refuse(self, why: str) -> None:
        if why != self._why:
            self._why = why
            self._refused(why)
