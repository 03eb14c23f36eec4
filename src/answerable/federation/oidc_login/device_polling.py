"""Compute the polling interval and deadline of the device flow (RFC 8628 3.5)."""

from dataclasses import dataclass, replace

from answerable.federation.oidc_login.responses import DevicePending

MAX_POLLING = 15 * 60  # seconds that we ask, however long the code would last
_SLOWER = 5  # seconds, RFC 8628 3.5
_SLOWEST = 60


@dataclass(frozen=True, slots=True)
class DevicePolling:
    """Polling state of a device.

    Attributes:
        interval: Seconds until the next poll.
        until: Deadline, on the clock of `seconds_until_next_poll`.
    """

    interval: float
    until: float

    @classmethod
    def start(cls, interval: int, expires_in: int, now: float) -> "DevicePolling":
        """Start polling: compute the first interval and the deadline."""
        return cls(max(interval, 1), now + min(expires_in, MAX_POLLING))

    def seconds_until_next_poll(self, now: float) -> float:
        """Return the seconds to wait before the next poll; 0 after the deadline."""
        return max(min(self.interval, self.until - now), 0)

    def adjust_for_polling_error(self, error: DevicePending) -> "DevicePolling":
        """Update the interval for a polling error; `slow_down` lengthens it."""
        if error is DevicePending.SLOW_DOWN:
            return replace(self, interval=self.interval + _SLOWER)
        return self

    def double_interval(self) -> "DevicePolling":
        """Double the polling interval of a device login after a failed request."""
        return replace(
            self, interval=max(min(self.interval * 2, _SLOWEST), self.interval)
        )
