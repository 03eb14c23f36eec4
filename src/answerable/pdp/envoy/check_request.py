"""Evaluation of one ext_authz check: authenticate the caller, parse, decide.

The request is handled as at the gateway. State that only the gateway has is missing
here: owners of tasks, retry state, server requests, requests in flight. If the agent's
mode enforces, calls that need this state are denied.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from answerable.authorization.decision_table import held as holding
from answerable.model.caller import Caller
from answerable.model.decision import (
    Decision,
    Effect,
    Layer,
    Mode,
    Reason,
    Request,
    Target,
)
from answerable.model.spool_record import Act
from answerable.pdp.enforcement_points import Enforcer
from answerable.pdp.envoy.check_messages import Held, passed, read_check, stopped
from answerable.pdp.evaluation import Evaluating
from answerable.pdp.recording.evaluation_recorder import Recorder
from answerable.server.authentication.authenticator import Callers
from answerable.server.authentication.errors import KeysNeeded, Unidentified
from answerable.server.mcp.call import NOTHING, Call, read_call
from answerable.server.mcp.denial_error import denial
from answerable.server.mcp.messages import Kind
from answerable.server.mcp.methods import Era
from answerable.server.mcp.request_metadata import VERSION_HEADER
from answerable.server.wire.refusals import Refused, Why

DENIED = 200  # as at the gateway: some clients lose the error of a 403
FORBIDDEN = 403
UNAVAILABLE = 503
_CANCELLED = "notifications/cancelled"


class Checking:
    """Handler of ext_authz checks.

    Args:
        callers: Authenticates the clients of Envoy.
        clock: Returns NumericDates.
        origins: Accepted values of Origin.
    """

    def __init__(
        self,
        evaluating: Evaluating,
        callers: Callers,
        recorder: Recorder,
        clock: Callable[[], float],
        origins: Collection[str] = (),
    ) -> None:
        self._origins = origins
        self._evaluating, self._callers = evaluating, callers
        self._recorder, self._clock = recorder, clock

    async def check(self, request: Any, asked_by: Enforcer) -> Any:
        """Answer one check."""
        try:
            held = read_check(request)
            if held.head.fields.get("origin", "").lower() not in ("", *self._origins):
                raise Refused(Why.ORIGIN)
            caller = await self._identify(held)
            call = read_call(held.head, held.body)
        except Refused as refused:
            self._recorder.turned_away(refused.why.value)
            return _refusal(refused, request)
        except Unidentified as unknown:
            self._recorder.turned_away(unknown.reason)
            return _unidentified(unknown)
        decision = decide(self._evaluating, caller, call, asked_by)
        act = _act(call, held.body, asked_by)
        answer = await self._evaluating.recorded(caller, act, decision)
        if answer.passes:
            return passed(answer.id)
        status = DENIED if call.kind is Kind.REQUEST else FORBIDDEN
        return stopped(status, denial(call.id, answer.word, answer.id))

    async def _identify(self, held: Held) -> Caller:
        if held.principal and "authorization" not in held.head.fields:
            named = self._evaluating.subjects.of_certificate(held.principal)
            if named is not None:
                return named
        try:
            return self._callers.identify(held.head, held.link, self._clock())
        except KeysNeeded as needed:
            await self._callers.fetch(needed.issuer)
        try:
            return self._callers.identify(held.head, held.link, self._clock())
        except KeysNeeded:
            raise Unidentified("", UNAVAILABLE, "no-keys") from None


def decide(
    evaluating: Evaluating, caller: Caller, call: Call, asked_by: Enforcer
) -> Decision:
    """Decide one call that goes through Envoy."""
    if asked_by.servers and call.server not in asked_by.servers:
        policy = evaluating.authority.policy
        return holding(policy, Effect.DENY, Reason.UNKNOWN_SERVER)
    decision = evaluating.decided(
        caller, _request(caller, call, call.target, call.name, call.arguments)
    )
    for each in call.watched:
        if decision.passes and each.target is not Target.TASK:
            asked = _request(caller, call, each.target, each.name)
            decision = evaluating.decided(caller, asked)
    if not decision.passes or not _has_an_owner(call):
        return decision
    return replace(
        decision,
        effect=Effect.DENY,
        passes=decision.mode is not Mode.ENFORCE,
        reason=Reason.NOT_ITS_OWN,
        determining=(),
        layer=Layer.OWNERSHIP,
    )


def _has_an_owner(call: Call) -> bool:
    """Tell whether a call refers to state that only the gateway has.

    A session belongs to the server here, and its opening was not seen.
    """
    cancels = call.method == _CANCELLED and call.about is not None
    watches = any(each.target is Target.TASK for each in call.watched)
    is_of_one = call.target is Target.TASK or call.kind is Kind.RESPONSE
    return bool(call.state or call.session) or cancels or watches or is_of_one


def _request(
    caller: Caller,
    call: Call,
    target: Target,
    name: str,
    arguments: memoryview = NOTHING,
) -> Request:
    return Request(
        agent=caller.agent,
        known=caller.known,
        server=call.server,
        action=call.method,
        target=target,
        name=name,
        run=caller.run,
        principal=caller.principal,
        person=caller.person,
        chain=caller.chain,
        arguments=arguments,
    )


def _act(call: Call, body: bytes, asked_by: Enforcer) -> Act:
    arguments = call.arguments
    return Act(
        era=call.era,
        method=call.method,
        server=call.server,
        target=call.target,
        name=call.name,
        watched=tuple(f"{each.target}:{each.name}" for each in call.watched),
        session=call.session,
        state=call.state,
        size=len(body),
        arguments=hashlib.sha256(arguments).hexdigest() if arguments else "",
        asked_by=asked_by.principal,
    )


def _refusal(refused: Refused, request: Any) -> Any:
    http = request.attributes.request.http
    raw = {each.key.lower(): each.value for each in http.header_map.headers}
    said = http.headers.get(VERSION_HEADER) or raw.get(VERSION_HEADER, "")
    status = refused.status(in_a_session=said != Era.V2026_07_28)
    return stopped(status, refused.body(said))


def _unidentified(unknown: Unidentified) -> Any:
    fields = {"www-authenticate": unknown.challenge} if unknown.challenge else {}
    if unknown.nonce:
        fields["dpop-nonce"] = unknown.nonce
    return stopped(unknown.status, fields=fields)
