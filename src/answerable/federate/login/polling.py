"""How often a device asks, and until when (RFC 8628 3.5)."""

from dataclasses import dataclass, replace

from answerable.federate.login.answers import Pending

LONGEST = 15 * 60  # seconds that we ask, however long the code would last
_SLOWER = 5  # seconds, RFC 8628 3.5
_SLOWEST = 60


@dataclass(frozen=True, slots=True)
class Polling:
    """Where a device stands in its asking.

    Attributes:
        interval: Seconds until it asks again.
        until: When it gives up, on the clock of `pause`.
    """

    interval: float
    until: float

    @classmethod
    def begin(cls, interval: int, expires_in: int, now: float) -> "Polling":
        """Begin to ask."""
        return cls(max(interval, 1), now + min(expires_in, LONGEST))

    def pause(self, now: float) -> float:
        """Give the seconds to wait before the next question; 0 where it is over."""
        return max(min(self.interval, self.until - now), 0)

    def after(self, pending: Pending) -> "Polling":
        """Ask on after that answer; `slow_down` holds for every later question."""
        if pending is Pending.SLOW_DOWN:
            return replace(self, interval=self.interval + _SLOWER)
        return self

    def after_silence(self) -> "Polling":
        """Ask on where no answer came, at half the pace."""
        return replace(
            self, interval=max(min(self.interval * 2, _SLOWEST), self.interval)
        )
