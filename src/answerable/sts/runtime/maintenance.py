"""Run maintenance tasks: renew issuer keys, rotate our keys, delete expired records."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator

from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.operator_log import OperatorLog
from answerable.server.processes.run_registry import RunRegistry
from answerable.store.token_state.interface import TokenState
from answerable.store.token_state.restore_detection import SECONDS_PER_GENERATION
from answerable.sts.token_signing import TokenSigning

KEY_RENEWAL_INTERVAL = 30  # seconds between two looks at which issuers' keys are due
ROTATION_INTERVAL = 1  # second between two looks at our own
SWEEP_INTERVAL = 0.1  # seconds between two looks at what ended: little work at a time
SWEEP_BATCH = 100  # rows of them
DATABASE_TIMEOUT = (
    10.0  # seconds without an answer from which the database counts as down
)
RUN_CHECK_INTERVAL = 0.25  # seconds between two looks at which launched runs have ended


class Maintenance:
    """Maintenance tasks of the token service.

    Args:
        keys: Keys of foreign issuers.
        clock: Returns the time as a NumericDate.
        count_up: Increments the generation of the record.
    """

    def __init__(
        self,
        keys: IssuerKeyCache,
        signing: TokenSigning,
        control: TokenState,
        runs: RunRegistry,
        clock: Callable[[], float],
        log: OperatorLog,
        *,
        count_up: Callable[[], None],
    ) -> None:
        self._keys, self._signing = keys, signing
        self._control, self._runs, self._count_up = control, runs, count_up
        self._clock, self._log = clock, log
        self._answered = time.monotonic()
        self._refused = ""  # why the database did not answer the last time

    @property
    def database_fault(self) -> str:
        """Return why the database is unavailable; empty if it answers."""
        silent = time.monotonic() - self._answered
        if self._refused or silent < DATABASE_TIMEOUT:
            return self._refused
        return f"no response from the database for {silent:.0f} s"

    def tasks(self) -> Iterator[Coroutine[None, None, None]]:
        """Yield the maintenance tasks; each runs until cancelled."""
        yield self._renew_issuer_keys()
        yield self._rotate_signing_keys()
        yield self._delete_expired()
        yield self._detect_ended_runs()
        yield self._increment_generations()

    async def _renew_issuer_keys(self) -> None:
        """Fetch the keys of foreign issuers again when they are due."""
        while True:
            for issuer in self._keys.list_issuers_to_renew(self._clock()):
                failed = await self._keys.fetch_issuer_keys(issuer, self._clock())
                if failed:
                    self._log.warning("issuer.keys-refused", issuer=issuer, why=failed)
            await asyncio.sleep(KEY_RENEWAL_INTERVAL)

    async def _rotate_signing_keys(self) -> None:
        """Perform due steps of the key rotation, every second."""
        while True:
            await asyncio.sleep(ROTATION_INTERVAL)
            ring, now = self._signing.ring, self._clock()
            try:
                await asyncio.to_thread(ring.refresh, now)
            except AnswerableError as error:
                self._log.error("keys.refused", why=error.message)

    async def _delete_expired(self) -> None:
        """Delete expired database records, a few at a time."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            now = self._clock()
            try:
                # In a thread, because it waits for the disk while exchanges run.
                await asyncio.to_thread(self._control.delete_expired, now, SWEEP_BATCH)
            except AnswerableError as error:
                if error.message != self._refused:
                    self._log.error("control.not-swept", why=error.message)
                self._refused = error.message
            else:
                if self._refused:
                    self._log.info("control.reachable")
                self._answered, self._refused = time.monotonic(), ""

    async def _increment_generations(self) -> None:
        """Increment the generation, so that a restored copy is recognisably older."""
        while True:
            await asyncio.sleep(SECONDS_PER_GENERATION)
            try:
                await asyncio.to_thread(self._count_up)
            except AnswerableError as error:
                self._log.error("control.not-counted", why=error.message)

    async def _detect_ended_runs(self) -> None:
        """Detect ended runs, even if their launcher does not report it.

        An unusable folder is logged once, until the reason changes.
        """
        before = ""
        while True:
            await asyncio.sleep(RUN_CHECK_INTERVAL)
            why = ""
            try:
                await asyncio.to_thread(self._runs.refresh_runs)
            except EnvironmentFailure as error:
                why = error.message
            except OSError as error:
                why = error.strerror or "the folder of runs cannot be read"
            if why and why != before:
                self._log.error("runs.not-swept", why=why)
            before = why
