"""Sees runs end: a run is over when its process is, whoever else tells of it or not."""

import asyncio
from collections.abc import Callable

from answerable.model.errors import EnvironmentRefused
from answerable.serving.processes.runs import Runs

EVERY = 0.25  # seconds


class RunWatch:
    """Looks after the runs of one process of the service.

    An attestation looks for itself; this is for those who wait for an end.

    Args:
        runs: The registry, which tells of ends.
        loop: The event loop.
        refused: Is told why the folder cannot be used.
    """

    def __init__(
        self,
        runs: Runs,
        loop: asyncio.AbstractEventLoop,
        refused: Callable[[str], None],
    ) -> None:
        self._runs, self._loop, self._refused = runs, loop, refused
        self._why = ""  # it was refused the last time
        self._timer = loop.call_later(EVERY, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(EVERY, self._look)
        why = ""
        try:
            self._runs.sweep()
        except EnvironmentRefused as error:
            why = error.message
        except OSError as error:
            why = error.strerror or "the folder of runs cannot be read"
        if why and why != self._why:
            self._refused(why)
        self._why = why
