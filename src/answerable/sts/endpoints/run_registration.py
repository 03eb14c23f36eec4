"""Run registration by launchers on this machine, at the unix socket only."""

import asyncio
import time
from collections.abc import Callable

from answerable.model.exchange import OAuthError
from answerable.model.spool_record import Exchanged
from answerable.server.operator_log import Log
from answerable.server.processes import run_registration
from answerable.server.processes.run_registration import Allows
from answerable.server.processes.run_registry import Run, Runs
from answerable.server.recording.record_ticket import NotRecorded
from answerable.sts.http.request import Asked
from answerable.sts.http.responses import JSON, Answer, plain_answer
from answerable.sts.http.server import Handler
from answerable.sts.recording.exchange_recorder import Recorder

PATH = "/runs"


class RunsEndpoint:
    """Endpoint that registers and ends runs.

    Args:
        allows: Returns the rule that allows a launch.
        root: Tells whether a rule covers root processes.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        runs: Runs,
        allows: Allows,
        recorder: Recorder,
        root: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._runs, self._allows = runs, allows
        self._recorder, self._root, self._clock = recorder, root, clock

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """Return the handlers by method and path; the second path takes an id."""
        return {("POST", PATH): self._register, ("DELETE", f"{PATH}/"): self._finish}

    async def _register(self, asked: Asked) -> Answer:
        connection = asked.socket
        if connection is None:
            return plain_answer(404)
        now = int(self._clock())
        answer = await asyncio.to_thread(
            run_registration.register,
            *(self._runs, connection, asked.body, self._allows, now),
            root=self._root(),
        )
        return await self._register_answered(answer)

    async def _finish(self, asked: Asked) -> Answer:
        connection = asked.socket
        if connection is None:
            return plain_answer(404)
        id = asked.head.target.rpartition("/")[2]
        answer = await asyncio.to_thread(
            run_registration.finish, self._runs, connection, id
        )
        if answer.reason:
            self._refused("finish", answer.reason)
        return _answer_of(answer)

    async def _register_answered(self, answer: run_registration.Answer) -> Answer:
        if answer.run is None:
            self._refused("launch", answer.reason)
        else:
            await self._recorder.given(_record_of("launch", answer.run))
        return _answer_of(answer)

    def _refused(self, what: str, reason: str) -> None:
        error = OAuthError.UNAUTHORIZED_CLIENT.value
        self._recorder.refused(Exchanged(0, 0, "", what, error=error, reason=reason))


def record_end(recorder: Recorder, log: Log, run: Run) -> None:
    """Record that a run ended; an end that cannot be recorded is logged.

    Runs in the event loop of the recorder.
    """
    durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def report(done: "asyncio.Future[None]") -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.error("run.end-not-recorded", run=run.name, why=str(error))

    durable.add_done_callback(report)
    try:
        recorder.give(_record_of("finish", run), durable)
    except NotRecorded as error:
        log.error("run.end-not-recorded", run=run.name, why=str(error))


def _record_of(what: str, run: Run) -> Exchanged:
    return Exchanged(
        0,
        0,
        "",
        what,
        rule=run.rule,
        agent=run.agent,
        run=run.name,
        attestor="launcher",
        attested=(
            ("argv_sha256", run.argv_sha256),
            ("config_sha256", run.config_sha256),
            ("program", run.program),
            ("started_by", str(run.started_by)),
            ("uid", str(run.uid)),
        ),
    )


def _answer_of(answer: run_registration.Answer) -> Answer:
    fields = {"cache-control": "no-store"}
    if answer.body:
        fields["content-type"] = JSON
    return Answer(answer.status, answer.body, fields)
