"""Notify systemd of state and watchdog, over `$NOTIFY_SOCKET` (sd_notify).

The protocol of sd_notify(3): one datagram of `NAME=VALUE` lines to a unix socket, by
path or, with a leading `@`, by a name of the abstract namespace. It needs no library.
`Type=notify` waits for `READY=1`, `Type=notify-reload` for `RELOADING=1` with the
monotonic time, then `READY=1`; with `WatchdogSec=` a service that stops telling
`WATCHDOG=1` is started again. Where the variable is not set, nothing is sent.
"""

import asyncio
import os
import socket
import time
from collections.abc import MutableMapping

_ADDRESS, _PERIOD, _PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_MAX_STATUS = 500  # characters of a status


class SystemdNotifier:
    """Notifications of one process to a service manager.

    Args:
        address: Address of the socket; empty without a service manager.
        period: Seconds between two watchdog messages at most; 0 without a watchdog.
    """

    def __init__(self, address: str = "", period: float = 0.0) -> None:
        abstract = address.startswith("@")
        self._address = f"\0{address[1:]}" if abstract else address
        self.period = period if self._address else 0.0

    @classmethod
    def from_environment(
        cls, environment: MutableMapping[str, str]
    ) -> "SystemdNotifier":
        """Read the service manager's variables, and remove them from the environment.

        Child processes that inherited them could report a service as ready that is not
        (sd_notify(3), `unset_environment`).
        """
        address = environment.pop(_ADDRESS, "")
        period, pid = environment.pop(_PERIOD, ""), environment.pop(_PID, "")
        if not address.startswith(("/", "@")):
            return cls()
        is_ours = not pid or pid == str(os.getpid())
        is_number = period.isascii() and period.isdigit() and len(period) < 18
        usec = int(period) if is_ours and is_number else 0
        return cls(address, usec / 1_000_000)

    def ready(self, status: str) -> None:
        """Report that the service is ready, after a start or a reload."""
        self._send_lines(
            "READY=1", f"STATUS={_single_line(status)}", f"MAINPID={os.getpid()}"
        )

    def reloading(self) -> None:
        """Report a reload; `ready` follows."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send_lines("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Report the shutdown to systemd (`STOPPING=1`)."""
        self._send_lines("STOPPING=1", "STATUS=draining")

    async def keep_alive(self) -> None:
        """Send watchdog messages from the event loop, until cancelled."""
        while self.period:
            self._send_lines("WATCHDOG=1")
            # Half of the time, as sd_watchdog_enabled(3) advises.
            await asyncio.sleep(self.period / 2)

    def _send_lines(self, *lines: str) -> None:
        """Send lines to the service manager; ignore a closed socket."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
                wire.settimeout(0)  # a manager that does not read delays no call
                wire.sendto("\n".join(lines).encode(), self._address)
        except (OSError, ValueError):
            return  # a closed socket stops no call


def _single_line(text: str) -> str:
    """Replace line breaks, so that a text stays one line."""
    return "".join(filter(str.isprintable, text))[:_MAX_STATUS]
