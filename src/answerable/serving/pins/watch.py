"""The pins in force in one process: what the files say, looked at four times a second.

An approval needs no supervisor to take hold, as a kill needs none.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from answerable.enforce.pins.holding import held, mappings
from answerable.enforce.quarantine import Quarantine
from answerable.model.config import Server
from answerable.model.errors import EnvironmentRefused
from answerable.model.pin import NO_PINS, Kind, Pinning, Pins, item_id, item_key
from answerable.serving.pins.files import PinFiles, Stamp

EVERY = 0.25  # seconds


class Bound(Protocol):
    """Whatever decides in a process, and is bound by the pins."""

    def set_quarantine(self, quarantine: Quarantine) -> None:
        """Hold what is not as it was approved."""


class Told(Protocol):
    """Who is told what becomes of pins."""

    def quarantined(self, subject: str, why: str, like: str) -> None:
        """Something is in quarantine from now on.

        Args:
            subject: `server:NAME`, or a tool, prompt, template or instructions.
            why: `new`, `changed`, `shadows`, `ambiguous` or `another-server`.
            like: What it is named like, empty where nothing.
        """

    def alike(self, subject: str, like: str, how: str) -> None:
        """Something new is named like another one.

        Args:
            subject: What is new.
            like: The other one.
            how: `same`, `confusable` or `near`.
        """

    def released(self, subject: str) -> None:
        """Something is not in quarantine any more."""

    def refused(self, why: str) -> None:
        """The pins cannot be read or written; what was in force stays so."""


class PinWatch:
    """Puts what the files say in force, in one process.

    Args:
        files: The files.
        servers: Servers as configured.
        bound: Decides in this process.
        loop: Its event loop.
        told: Is told of what changes.

    Raises:
        EnvironmentRefused: A file cannot be read at the start.
    """

    def __init__(
        self,
        files: PinFiles,
        servers: Iterable[Server],
        bound: Bound,
        loop: asyncio.AbstractEventLoop,
        told: Told,
    ) -> None:
        self.files = files
        self._bound, self._loop, self._told = bound, loop, told
        self._pinning: dict[str, Pinning] = {}
        self._pins: dict[str, Pins] = {}
        self._stamps: dict[str, Stamp] = {}
        self._why = ""  # they were refused the last time
        self.swap(servers)
        self._timer = loop.call_later(EVERY, self._look)

    def swap(self, servers: Iterable[Server]) -> None:
        """Hold these servers, as configured now.

        Raises:
            EnvironmentRefused: A file of one that is new here cannot be read; nothing
                changes.
        """
        pinning: dict[str, Pinning] = {
            each.name: each.pin for each in servers if each.pin is not Pinning.OFF
        }
        stamps = {name: self.files.stamp(name) for name in pinning}
        fresh = {
            name: self.files.read(name) for name in pinning.keys() - self._pins.keys()
        }
        self._stamps = stamps | {
            name: stamp for name, stamp in self._stamps.items() if name in pinning
        }
        kept = {name: pins for name, pins in self._pins.items() if name in pinning}
        self._pinning, self._pins = pinning, kept | fresh
        self._enforce()

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def look(self) -> None:
        """Put in force what the files say now, without waiting for the next look."""
        changed = False
        for server, before in self._stamps.items():
            stamp = self.files.stamp(server)
            if stamp != before:
                changed |= self._take(server, stamp)
        if changed:
            self._enforce()

    def mappings(self) -> dict[tuple[str, str], str]:
        """Give the AuthZEN mappings that persons approved: (server, tool) -> JSON."""
        return mappings(self._pins)

    def definition(self, server: str, tool: str) -> str:
        """Give the digest of a tool's definition as it is pinned, hex; empty for none.

        What is in quarantine is not what it is pinned as, and says nothing here.
        """
        pin = self._pins.get(server, NO_PINS).items.get(item_key(Kind.TOOL, tool))
        return "" if pin is None else pin.definition.sha256

    def _look(self) -> None:
        self._timer = self._loop.call_later(EVERY, self._look)
        self.look()

    def _take(self, server: str, stamp: Stamp) -> bool:
        """Take over what a file says; say whether it could be read."""
        try:
            pins = self.files.find(server)
        except EnvironmentRefused as error:
            self._refuse(error.message)
            return False
        if pins is None:
            self._refuse(f"{self.files.path(server)} is gone")
            return False
        # Only now: what could not be read is tried again.
        self._stamps[server], self._why = stamp, ""
        self._replace(server, self._onto(server, pins))
        return True

    def _onto(self, server: str, pins: Pins) -> Pins:
        """Give what holds of a server whose file says this."""
        return pins

    def _replace(self, server: str, pins: Pins) -> None:
        """Know other pins of a server, and tell of what that changes."""
        before, self._pins[server] = self._pins.get(server, NO_PINS), pins
        for key in pins.seen.keys() - before.seen.keys():
            seen = pins.seen[key]
            subject = item_id(server, seen.definition.kind, seen.definition.name)
            self._told.quarantined(subject, seen.why, seen.like)
        for key in before.seen.keys() - pins.seen.keys():
            lifted = before.seen[key].definition
            self._told.released(item_id(server, lifted.kind, lifted.name))
        if pins.is_another and not before.is_another:
            self._told.quarantined(f"server:{server}", "another-server", "")
        elif before.is_another and not pins.is_another:
            self._told.released(f"server:{server}")

    def _enforce(self) -> None:
        self._bound.set_quarantine(
            {name: held(pins, self._pinning[name]) for name, pins in self._pins.items()}
        )

    def _refuse(self, why: str) -> None:
        if why != self._why:
            self._why = why
            self._told.refused(why)
