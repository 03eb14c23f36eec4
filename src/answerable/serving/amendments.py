"""What owners have signed, on its way from the store into the decisions of a process.

The store is where amendments lie, each a signed statement in its log, and nowhere else:
there is no second copy that somebody could change. One thread looks at the log twice a
second, and verifies everything anew where it has grown. So a signature, a revocation, a
key that counts no more and an owner who changed all take hold within a second.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from answerable.flows.amendments import AmendmentsOf, Held
from answerable.model.amendment import Fallen
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.serving.in_force import Standing
from answerable.store.store import Store

EVERY = 0.5  # seconds between two looks at the store
LAST_GOOD = 60.0  # seconds that amendments stand while the store cannot be read


# What becomes of amendments, and is no fault of anybody's.
_EXPECTED = (Fallen.ENDED, Fallen.REVOKED, Fallen.UNCONFIRMED)


class AmendmentWatch:
    """Looks at the amendments of a store.

    Args:
        root: Folder of the store.
        changed: Told what stands, whenever that is something else.
        unheld: Told what does not count and why, each once.
        refused: Told why the store cannot be read, each reason once.

    Attributes:
        held: What was read last; None before the first look.
    """

    def __init__(
        self,
        root: Path,
        changed: Callable[[Standing], None],
        unheld: Callable[[str, str], None],
        refused: Callable[[str], None],
    ) -> None:
        self.held: Held | None = None
        self._root, self._changed = root, changed
        self._unheld, self._refused = unheld, refused
        self._reader = ThreadPoolExecutor(1, "amendments")
        self._store: Store | None = None
        self._of: AmendmentsOf | None = None
        self._standing: Standing = ()
        self._told: set[str] = set()
        self._why = ""
        self._read_at = 0.0

    async def refresh(self) -> None:
        """Look now."""
        loop = asyncio.get_running_loop()
        try:
            held = await loop.run_in_executor(self._reader, self._read)
        except AnswerableError as error:
            self._refuse(error, loop.time())
            return
        self._why, self._read_at, self.held = "", loop.time(), held
        for each in held.unheld:
            self._tell(each.digest, each.why)
        for judged in held.judged:
            if judged.fallen is not None and judged.fallen not in _EXPECTED:
                self._tell(judged.amendment.id, judged.fallen.value)
        self._stand(held.standing)

    async def keep_fresh(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY)

    async def close(self) -> None:
        """Let go of the store."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._shut)
        self._reader.shutdown(wait=False)

    def _stand(self, amendments: Standing) -> None:
        if amendments != self._standing:
            self._standing = amendments
            self._changed(amendments)

    def _tell(self, digest: str, why: str) -> None:
        if f"{digest} {why}" not in self._told:
            self._told.add(f"{digest} {why}")
            self._unheld(digest, why)

    def _refuse(self, error: AnswerableError, now: float) -> None:
        """What is not what it was allows nothing; what is away, nothing for long."""
        is_away = isinstance(error, EnvironmentRefused)
        if not is_away or now - self._read_at > LAST_GOOD:
            self.held = None
            self._stand(())
        if error.message != self._why:
            self._why = error.message
            self._refused(error.message)

    def _read(self) -> Held:
        now = time.time_ns()
        if self._of is None:
            self._store = Store.open(self._root, now=now, create=False)
            self._of = AmendmentsOf(self._store)
        try:
            return self._of.now(now)
        except AnswerableError:
            self._shut()  # whatever it was, look with fresh eyes the next time
            raise

    def _shut(self) -> None:
        store, self._store, self._of = self._store, None, None
        if store is not None:
            store.close()
