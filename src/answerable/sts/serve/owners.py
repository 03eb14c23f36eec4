"""Who has an attested owner now, looked up in the store every second or so.

The store is read by one thread, beside the exchanges. Where it cannot be read, what was
read last stays in force for a while, and each owner no longer than the attestation; a
store that was changed in the wrong way attests nobody.
"""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from answerable.flows.attested import AttestedOwner, AttestedOwners
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.model.ids import AgentId, PersonId
from answerable.serving.log import Log
from answerable.store.store import Store

EVERY = 1.0  # seconds
LAST_GOOD = 300.0  # seconds that owners stand while the store cannot be read

_SECOND = 1_000_000_000  # nanoseconds


class Owners:
    """The attested owners, as of a second ago.

    Args:
        root: Folder of the store.
        log: Of the process.

    Attributes:
        refused: Why the store could not be read the last time, empty where it could.
    """

    def __init__(self, root: Path, log: Log) -> None:
        self.refused = ""
        self._root, self._log = root, log
        self._reader = ThreadPoolExecutor(1, "owners")
        self._store: Store | None = None
        self._attested: AttestedOwners | None = None
        self._known: Mapping[AgentId, AttestedOwner] = {}
        self._people: Mapping[AgentId, PersonId] = {}
        self._people_until = 0.0
        self._read_at = 0.0

    def __len__(self) -> int:
        """How many agents have one."""
        return len(self._known)

    def people(self, now: float) -> Mapping[AgentId, PersonId]:
        """Give who answers for each agent that has an attested owner now."""
        if now >= self._people_until:
            self._count(now)
        return self._people

    def _count(self, now: float) -> None:
        at = int(now * _SECOND)
        standing = {a: each for a, each in self._known.items() if at < each.expires}
        ends = (each.expires / _SECOND for each in standing.values())
        self._people = {agent: each.person for agent, each in standing.items()}
        self._people_until = min(ends, default=float("inf"))

    async def refresh(self) -> None:
        """Look again."""
        loop = asyncio.get_running_loop()
        try:
            self._known = await loop.run_in_executor(self._reader, self._read)
        except EnvironmentRefused as error:
            self._refuse(error)
            if loop.time() - self._read_at > LAST_GOOD:
                self._known = {}
        except AnswerableError as error:
            self._refuse(error)
            self._known = {}
        else:
            self.refused = ""
            self._read_at = loop.time()
        self._people_until = 0.0

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

    def _refuse(self, error: AnswerableError) -> None:
        if self.refused != error.message:
            self._log.error("owners.refused", why=error.message)
        self.refused = error.message

    def _read(self) -> Mapping[AgentId, AttestedOwner]:
        now = time.time_ns()
        if self._attested is None:
            self._store = Store.open(self._root, now=now)
            self._attested = AttestedOwners(self._store)
        try:
            return self._attested.now(now)
        except AnswerableError:
            self._shut()  # whatever it was, look with fresh eyes the next time
            raise

    def _shut(self) -> None:
        store, self._store, self._attested = self._store, None, None
        if store is not None:
            store.close()
