"""Serve run registration for launchers on this machine, at the unix socket only."""

import asyncio
import time
from collections.abc import Callable

from answerable.model.spool_record import ExchangeRecord
from answerable.model.token_request import OAuthError
from answerable.server.operator_log import OperatorLog
from answerable.server.processes import run_registration
from answerable.server.processes.run_registration import FindLaunchRule
from answerable.server.processes.run_registry import RegisteredRun, RunRegistry
from answerable.server.recording.record_ticket import NotRecorded
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import JSON_TYPE, StsResponse, empty_response
from answerable.sts.http.server import EndpointHandler
from answerable.sts.recording.exchange_recorder import ExchangeRecorder

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
        runs: RunRegistry,
        allows: FindLaunchRule,
        recorder: ExchangeRecorder,
        root: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._runs, self._allows = runs, allows
        self._recorder, self._root, self._clock = recorder, root, clock

    def handlers(self) -> dict[tuple[str, str], EndpointHandler]:
        """Return the handlers by method and path; the second path takes an id."""
        return {
            ("POST", PATH): self._handle_register,
            ("DELETE", f"{PATH}/"): self._handle_finish,
        }

    async def _handle_register(self, request: StsRequest) -> StsResponse:
        """Register the run of an agent that a launcher starts."""
        connection = request.socket
        if connection is None:
            return empty_response(404)
        now = int(self._clock())
        answer = await asyncio.to_thread(
            run_registration.register_run,
            self._runs,
            connection,
            request.body,
            self._allows,
            now,
            allow_root=self._root(),
        )
        return await self._record_and_respond(answer)

    async def _handle_finish(self, request: StsRequest) -> StsResponse:
        """End a run at the request of its launcher."""
        connection = request.socket
        if connection is None:
            return empty_response(404)
        id = request.head.target.rpartition("/")[2]
        answer = await asyncio.to_thread(
            run_registration.finish_run, self._runs, connection, id
        )
        if answer.reason:
            self._record_refusal("finish", answer.reason)
        return _build_registration_response(answer)

    async def _record_and_respond(
        self, answer: run_registration.RegistrationAnswer
    ) -> StsResponse:
        """Record a registration or its refusal, and build the response."""
        if answer.run is None:
            self._record_refusal("launch", answer.reason)
        else:
            await self._recorder.record_issued(_build_run_record("launch", answer.run))
        return _build_registration_response(answer)

    def _record_refusal(self, kind: str, reason: str) -> None:
        """Record a refused request of a launcher."""
        error = OAuthError.UNAUTHORIZED_CLIENT.value
        self._recorder.record_refused(
            ExchangeRecord(0, 0, "", kind, error=error, reason=reason)
        )


def record_run_end(
    recorder: ExchangeRecorder, log: OperatorLog, run: RegisteredRun
) -> None:
    """Record the end of a run; log it if it cannot be recorded.

    Runs in the event loop of the recorder.
    """
    durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def report(done: "asyncio.Future[None]") -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.error("run.end-not-recorded", run=run.name, why=str(error))

    durable.add_done_callback(report)
    try:
        recorder.queue_issued(_build_run_record("finish", run), durable)
    except NotRecorded as error:
        log.error("run.end-not-recorded", run=run.name, why=str(error))


def _build_run_record(kind: str, run: RegisteredRun) -> ExchangeRecord:
    """Build the evidence record of a run's start or end."""
    return ExchangeRecord(
        0,
        0,
        "",
        kind,
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


def _build_registration_response(
    answer: run_registration.RegistrationAnswer,
) -> StsResponse:
    """Build the response from the result of a registration."""
    fields = {"cache-control": "no-store"}
    if answer.body:
        fields["content-type"] = JSON_TYPE
    return StsResponse(answer.status, answer.body, fields)
