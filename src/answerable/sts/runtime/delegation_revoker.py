"""End the recorded delegations of a revoked subject, and notify event receivers."""

from collections.abc import Callable

from answerable.model.errors import AnswerableError
from answerable.server.background_tasks import BackgroundTasks
from answerable.server.operator_log import OperatorLog
from answerable.store.token_state.interface import RevokedDelegations, TokenState
from answerable.sts.runtime.database_executor import DatabaseExecutor
from answerable.sts.security_events import EventPusher, SessionRevoked

# Kinds of subjects that delegations are on record by.
RECORDED_KINDS = frozenset({"agent", "person", "rule", "run"})


class DelegationRevoker:
    """Ends recorded delegations; the revocation file itself blocks new ones.

    Args:
        blocking: Runs calls to the record.
        events: Event delivery; None if not configured.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        control: TokenState,
        blocking: DatabaseExecutor,
        events: EventPusher | None,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
        log: OperatorLog,
    ) -> None:
        self._control, self._blocking, self._events = control, blocking, events
        self._tasks, self._clock, self._log = tasks, clock, log

    async def revoke(self, subject: str) -> bool:
        """End the delegations of a subject; False if they cannot be ended now."""
        if subject.partition(":")[0] not in RECORDED_KINDS:
            return False
        now = self._clock()
        try:
            died = await self._blocking.run(
                lambda: self._control.revoke_subject(subject, now)
            )
        except AnswerableError as error:
            # The kill already refuses its tokens; only the record is missing.
            self._log.error("kill.not-recorded", subject=subject, why=error.message)
            return False
        self.notify(subject, "admin", died)
        return True

    async def end_and_list_delegations(self, subject: str) -> tuple[str, ...] | None:
        """End the delegations of a subject and list them; None if unknown.

        The list includes delegations that ended before, because a gateway may not know
        them.
        """
        return (
            await self.list_delegations(subject) if await self.revoke(subject) else None
        )

    async def list_delegations(self, subject: str) -> tuple[str, ...] | None:
        """List the delegations of a subject; None if unknown."""
        if subject.partition(":")[0] not in RECORDED_KINDS:
            return None
        now = self._clock()
        try:
            return await self._blocking.run(
                lambda: self._control.list_delegations_of_subject(subject, now)
            )
        except AnswerableError as error:
            self._log.error(
                "delegations.not-listed", subject=subject, why=error.message
            )
            return None

    def notify(
        self, subject: str, by: str, ended_delegations: RevokedDelegations
    ) -> None:
        """Log ended delegations, and send events to the receivers."""
        if not ended_delegations.delegations:
            return
        ended = len(ended_delegations.delegations)
        self._log.warning("delegations.ended", subject=subject, ended=ended)
        if self._events is not None:
            self._tasks.spawn(
                self._queue_session_events(self._events, by, ended_delegations)
            )

    async def _queue_session_events(
        self, events: EventPusher, by: str, ended_delegations: RevokedDelegations
    ) -> None:
        """Queue a session-revoked event for each ended delegation."""
        at = int(self._clock())
        try:
            links = await self._blocking.run(
                lambda: [
                    self._control.find_delegation(each)
                    for each in ended_delegations.delegations
                ]
            )
        except AnswerableError as error:
            self._log.error("event.dropped", why=error.message)
            return
        events.notify(
            SessionRevoked(link, by, at) for link in links if link is not None
        )
