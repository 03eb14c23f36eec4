"""Limit how often rejected credentials are refreshed (backoff).

A server may reject any credential, and a caller may provoke that. So there is a pause
before the next refresh, which doubles as long as the previous refresh did not help.
"""

from collections.abc import Callable, Hashable

MIN_PAUSE, MAX_PAUSE = 5.0, 60.0  # seconds of a pause
MAX_TRACKED = 4096  # credentials rejected recently


class RefreshBackoff:
    """Refresh times of rejected credentials, for one worker.

    Args:
        clock: Returns the time as a NumericDate.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[Hashable, tuple[float, float]] = {}  # a pause, and its end

    def may_refresh(self, key: Hashable) -> bool:
        """Return whether a credential may be refreshed now; if so, a pause begins."""
        now = self._clock()
        pause, end = self._known.get(key, (0.0, 0.0))
        # A clock that was set back ends the pause.
        if end - pause <= now < end:
            return False
        helped = now >= end + MAX_PAUSE
        pause = MIN_PAUSE if helped else min(max(MIN_PAUSE, pause * 2), MAX_PAUSE)
        self._known.pop(key, None)  # the most recent one is last
        if len(self._known) >= MAX_TRACKED:
            del self._known[next(iter(self._known))]
        self._known[key] = pause, now + pause
        return True
