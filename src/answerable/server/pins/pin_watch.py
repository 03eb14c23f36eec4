"""Watch the pin files, and apply changes in one process four times a second.

An approval takes effect without a supervisor, like a revocation.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from answerable.authorization.pins.pin_comparison import (
    approved_mappings,
    build_quarantine,
)
from answerable.authorization.quarantine import Quarantine
from answerable.model.config import UpstreamServer
from answerable.model.definition_pin import (
    NO_PINS,
    DefinitionKind,
    PinningMode,
    ServerPins,
    build_definition_id,
    get_definition_key,
)
from answerable.model.errors import EnvironmentFailure
from answerable.server.pins.pin_files import PinFiles, PinFileStamp

POLL_INTERVAL = 0.25  # seconds


class QuarantineTarget(Protocol):
    """Decision point that applies the quarantine."""

    def set_quarantine(self, quarantine: Quarantine) -> None:
        """Replace the set of quarantined tool definitions, which are blocked."""


class PinListener(Protocol):
    """Listener for changes of pins."""

    def on_quarantined(self, subject: str, reason: str, similar_item: str) -> None:
        """Handle a definition that is in quarantine from now on.

        Args:
            subject: `server:NAME`, or a tool, prompt, template or instructions.
            reason: `new`, `changed`, `shadows`, `ambiguous` or `another-server`.
            similar_item: Existing name that it resembles, empty for none.
        """

    def on_lookalike(self, subject: str, similar_item: str, similarity: str) -> None:
        """Handle a new name that resembles another one.

        Args:
            subject: The new item.
            similar_item: The existing item.
            similarity: `same`, `confusable` or `near`.
        """

    def on_released(self, subject: str) -> None:
        """Handle the end of a quarantine."""

    def on_failure(self, reason: str) -> None:
        """Handle unreadable or unwritable pins; the present ones stay in force."""


class PinWatch:
    """Watch over the pin files, for one process.

    Args:
        bound: Decision point of this process.

    Raises:
        EnvironmentFailure: A file cannot be read at the start.
    """

    def __init__(
        self,
        files: PinFiles,
        servers: Iterable[UpstreamServer],
        bound: QuarantineTarget,
        loop: asyncio.AbstractEventLoop,
        told: PinListener,
    ) -> None:
        self.files = files
        self._bound, self._loop, self._told = bound, loop, told
        self._pinning: dict[str, PinningMode] = {}
        self._pins: dict[str, ServerPins] = {}
        self._stamps: dict[str, PinFileStamp] = {}
        self._why = ""  # they were refused the last time
        self.reconfigure(servers)
        self._timer = loop.call_later(POLL_INTERVAL, self._poll_files)

    def reconfigure(self, servers: Iterable[UpstreamServer]) -> None:
        """Watch the pin files of these servers.

        Raises:
            EnvironmentFailure: The file of a new server cannot be read; nothing
                changes.
        """
        pinning: dict[str, PinningMode] = {
            each.name: each.pin for each in servers if each.pin is not PinningMode.OFF
        }
        stamps = {name: self.files.file_stamp(name) for name in pinning}
        fresh = {
            name: self.files.read_pins(name)
            for name in pinning.keys() - self._pins.keys()
        }
        self._stamps = stamps | {
            name: stamp for name, stamp in self._stamps.items() if name in pinning
        }
        kept = {name: pins for name, pins in self._pins.items() if name in pinning}
        self._pinning, self._pins = pinning, kept | fresh
        self._apply_quarantine()

    def close(self) -> None:
        """Stop watching the pin files."""
        self._timer.cancel()

    async def flush(self) -> None:
        """Write pending observations; a watch that only reads has none."""

    def refresh(self) -> None:
        """Apply the files as they are now, without waiting for the next poll."""
        changed = False
        for server, before in self._stamps.items():
            stamp = self.files.file_stamp(server)
            if stamp != before:
                changed |= self._load_pin_file(server, stamp)
        if changed:
            self._apply_quarantine()

    def approved_mappings(self) -> dict[tuple[str, str], str]:
        """Return the approved AuthZEN mappings: (server, tool) -> JSON."""
        return approved_mappings(self._pins)

    def definition_digest(self, server: str, tool: str) -> str:
        """Return the SHA-256 of a tool's pinned definition, hex; empty for none.

        The definition in quarantine is not the pinned one, and does not count here.
        """
        pin = self._pins.get(server, NO_PINS).items.get(
            get_definition_key(DefinitionKind.TOOL, tool)
        )
        return "" if pin is None else pin.definition.sha256

    def _poll_files(self) -> None:
        """Apply changed files, and schedule the next poll."""
        self._timer = self._loop.call_later(POLL_INTERVAL, self._poll_files)
        self.refresh()

    def _load_pin_file(self, server: str, stamp: PinFileStamp) -> bool:
        """Load a changed file; return whether it could be read."""
        try:
            pins = self.files.find_pins(server)
        except EnvironmentFailure as error:
            self._report_failure(error.message)
            return False
        if pins is None:
            self._report_failure(f"{self.files.pin_file_path(server)} was deleted")
            return False
        # Only now: what could not be read is tried again.
        self._stamps[server], self._why = stamp, ""
        self._replace_pins(server, self._merge_pending_observations(server, pins))
        return True

    def _merge_pending_observations(self, server: str, pins: ServerPins) -> ServerPins:
        """Return the pins to enforce, given the pins of the file."""
        return pins

    def _replace_pins(self, server: str, pins: ServerPins) -> None:
        """Replace the pins of a server, and report the changes."""
        before, self._pins[server] = self._pins.get(server, NO_PINS), pins
        for key in pins.seen.keys() - before.seen.keys():
            seen = pins.seen[key]
            subject = build_definition_id(
                server, seen.definition.kind, seen.definition.name
            )
            self._told.on_quarantined(subject, seen.why, seen.like)
        for key in before.seen.keys() - pins.seen.keys():
            lifted = before.seen[key].definition
            self._told.on_released(
                build_definition_id(server, lifted.kind, lifted.name)
            )
        if pins.has_identity_changed and not before.has_identity_changed:
            self._told.on_quarantined(f"server:{server}", "another-server", "")
        elif before.has_identity_changed and not pins.has_identity_changed:
            self._told.on_released(f"server:{server}")

    def _apply_quarantine(self) -> None:
        """Pass the quarantined definitions to the decision point."""
        self._bound.set_quarantine(
            {
                name: build_quarantine(pins, self._pinning[name])
                for name, pins in self._pins.items()
            }
        )

    def _report_failure(self, reason: str) -> None:
        """Report an unreadable file once for each reason."""
        if reason != self._why:
            self._why = reason
            self._told.on_failure(reason)
