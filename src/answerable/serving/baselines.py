"""The baselines that stand, on their way from the store into the decisions of a process.

The store is where signed profiles lie, and nowhere else. One thread looks at its log
twice a second. A baseline only takes: while the store cannot be read, what stood goes on
to stand until its signature ends.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from answerable.baseline.document import encode
from answerable.flows.baselines import BaselinesOf, Held
from answerable.model.baseline import Stage, Subject
from answerable.model.errors import AnswerableError
from answerable.store.store import Store

EVERY = 0.5  # seconds between two looks at the store


class InForce(msgspec.Struct, frozen=True):
    """A profile that stands, as it is handed to a worker.

    Attributes:
        subject: Whose.
        digest: Of it, hex.
        stage: Whether it holds calls back.
        expires: UTC nanoseconds at which its signature ends.
        profile: The document.
    """

    subject: Subject
    digest: str
    stage: Stage
    expires: int
    profile: bytes


class BaselineWatch:
    """Looks at the baselines of a store.

    Args:
        root: Folder of the store.
        changed: Told what stands, whenever that is something else.
        unheld: Told what does not count and why, each once.
        refused: Told why the store cannot be read, each reason once.
    """

    def __init__(
        self,
        root: Path,
        changed: Callable[[tuple[InForce, ...]], None],
        unheld: Callable[[str, str], None],
        refused: Callable[[str], None],
    ) -> None:
        self._root, self._changed = root, changed
        self._unheld, self._refused = unheld, refused
        self._reader = ThreadPoolExecutor(1, "baselines")
        self._store: Store | None = None
        self._of: BaselinesOf | None = None
        self._standing: tuple[InForce, ...] = ()
        self._told: set[tuple[str, str]] = set()
        self._why = ""

    async def refresh(self) -> None:
        """Look now."""
        loop = asyncio.get_running_loop()
        try:
            held = await loop.run_in_executor(self._reader, self._read)
        except AnswerableError as error:
            if error.message != self._why:
                self._why = error.message
                self._refused(error.message)
            return
        self._why = ""
        for each in held.unheld:
            if (each.digest, each.why) not in self._told:
                self._told.add((each.digest, each.why))
                self._unheld(each.digest, each.why)
        standing = tuple(
            InForce(
                each.subject, each.digest, each.stage, each.expires,
                encode(each.profile),
            )
            for each in held.standing.values()
        )  # fmt: skip
        if standing != self._standing:
            self._standing = standing
            self._changed(standing)

    async def keep_fresh(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.refresh()

    async def close(self) -> None:
        """Let go of the store."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._shut)
        self._reader.shutdown(wait=False)

    def _read(self) -> Held:
        now = time.time_ns()
        if self._of is None:
            self._store = Store.open(self._root, now=now, create=False)
            self._of = BaselinesOf(self._store)
        try:
            return self._of.now(now)
        except AnswerableError:
            self._shut()  # whatever it was, look with fresh eyes the next time
            raise

    def _shut(self) -> None:
        store, self._store, self._of = self._store, None, None
        if store is not None:
            store.close()
