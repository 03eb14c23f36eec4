"""When something that a server refused is got anew: at once, but not again and again.

A server may refuse whatever it is shown, and a caller may bring it to that. So there is
a pause before the next time, which doubles as long as the one before did not help.
"""

from collections.abc import Callable, Hashable

FIRST, LAST = 5.0, 60.0  # seconds of a pause
MAX_KNOWN = 4096  # whatever was refused lately


class Anew:
    """Remembers what was got anew, for one worker.

    Args:
        clock: Gives the time as a NumericDate.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[Hashable, tuple[float, float]] = {}  # a pause, and its end

    def may(self, what: Hashable) -> bool:
        """Say whether it is time to get something anew; if so, a pause begins."""
        now = self._clock()
        pause, end = self._known.get(what, (0.0, 0.0))
        # Not so where the clock was set back.
        if end - pause <= now < end:
            return False
        helped = now >= end + LAST
        pause = FIRST if helped else min(max(FIRST, pause * 2), LAST)
        self._known.pop(what, None)  # the latest stands last
        if len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[what] = pause, now + pause
        return True
