"""Evaluate one Envoy ext_authz check: authenticate the caller, parse, decide.

The request is handled as at the gateway. State that only the gateway has is missing
here: owners of tasks, retry state, server requests, requests in flight. If the agent's
mode enforces, calls that need this state are denied.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from answerable.authorization.decision_table import (
    build_mode_independent_decision as holding,
)
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    EnforcementMode,
    TargetKind,
)
from answerable.model.spool_record import CallSummary
from answerable.pdp.enforcement_points import EnforcementPoint
from answerable.pdp.envoy.check_messages import (
    EnvoyRequest,
    build_allow_response,
    build_deny_response,
    parse_check_request,
)
from answerable.pdp.evaluation import EvaluationService
from answerable.pdp.recording.evaluation_recorder import EvaluationRecorder
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.authentication.errors import IssuerKeysNeeded, Unauthenticated
from answerable.server.large_body_parser import MIN_SIZE, LargeBodyParser
from answerable.server.mcp.call import NO_ARGUMENTS, McpCall, parse_http_call
from answerable.server.mcp.denial_error import build_denial
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import McpRevision
from answerable.server.mcp.request_metadata import VERSION_HEADER
from answerable.server.wire.refusals import RefusalReason, RequestRefused

DENIED_STATUS = 200  # as at the gateway: some clients lose the error of a 403
FORBIDDEN_STATUS = 403
UNAVAILABLE_STATUS = 503
_CANCELLED = "notifications/cancelled"


class CheckHandler:
    """Handler of ext_authz checks.

    Args:
        callers: Authenticates the clients of Envoy.
        clock: Returns NumericDates.
        large_bodies: Parses large bodies in a process of its own.
        origins: Accepted values of Origin.
    """

    def __init__(
        self,
        evaluation_service: EvaluationService,
        callers: CallerAuthenticator,
        recorder: EvaluationRecorder,
        clock: Callable[[], float],
        large_bodies: LargeBodyParser,
        origins: Collection[str] = (),
    ) -> None:
        self._origins = origins
        self._evaluating, self._callers = evaluation_service, callers
        self._recorder, self._clock = recorder, clock
        self._large_bodies = large_bodies

    async def check(self, request: Any, enforcement_point: EnforcementPoint) -> Any:
        """Evaluate one CheckRequest; return the CheckResponse."""
        try:
            held = parse_check_request(request)
            if held.head.fields.get("origin", "").lower() not in ("", *self._origins):
                raise RequestRefused(RefusalReason.ORIGIN)
            caller = await self._authenticate_caller(held)
            call = await self._parse_call(held)
        except RequestRefused as refused:
            self._recorder.count_refused_request(refused.why.value)
            return _build_malformed_request_response(refused, request)
        except Unauthenticated as unknown:
            self._recorder.count_refused_request(unknown.reason)
            return _build_unauthenticated_response(unknown)
        decision = decide_envoy_call(self._evaluating, caller, call, enforcement_point)
        act = _build_call_summary(call, held.body, enforcement_point)
        answer = await self._evaluating.record_decision(caller, act, decision)
        if answer.passes:
            return build_allow_response(answer.id)
        status = DENIED_STATUS if call.kind is MessageKind.REQUEST else FORBIDDEN_STATUS
        return build_deny_response(
            status, build_denial(call.id, answer.reported_effect, answer.id)
        )

    async def _parse_call(self, check: EnvoyRequest) -> McpCall:
        """Parse the call; a large body is parsed in another process.

        Raises:
            RequestRefused: It is ambiguous or malformed.
        """
        if len(check.body) < MIN_SIZE:
            return parse_http_call(check.head, check.body)
        return (await self._large_bodies.parse(check.head, check.body)).read_call()

    async def _authenticate_caller(self, check: EnvoyRequest) -> VerifiedCaller:
        """Authenticate by Envoy's verified principal or by the request's token."""
        if check.principal and "authorization" not in check.head.fields:
            named = self._evaluating.subjects.resolve_certificate(check.principal)
            if named is not None:
                return named
        try:
            return self._callers.authenticate(check.head, check.link, self._clock())
        except IssuerKeysNeeded as needed:
            await self._callers.fetch_keys(needed.issuer)
        try:
            return self._callers.authenticate(check.head, check.link, self._clock())
        except IssuerKeysNeeded:
            raise Unauthenticated("", UNAVAILABLE_STATUS, "no-keys") from None


def decide_envoy_call(
    evaluation_service: EvaluationService,
    caller: VerifiedCaller,
    call: McpCall,
    enforcement_point: EnforcementPoint,
) -> Decision:
    """Decide one MCP call that Envoy asks about (ext_authz)."""
    if enforcement_point.servers and call.server not in enforcement_point.servers:
        policy = evaluation_service.authority.policy_digest
        return holding(policy, DecisionEffect.DENY, DecisionReason.UNKNOWN_SERVER)
    decision = evaluation_service.decide_request(
        caller,
        _build_authorization_request(
            caller, call, call.target, call.name, call.arguments
        ),
    )
    for each in call.watched:
        if decision.passes and each.target is not TargetKind.TASK:
            asked = _build_authorization_request(caller, call, each.target, each.name)
            decision = evaluation_service.decide_request(caller, asked)
    if not decision.passes or not _needs_gateway_state(call):
        return decision
    return replace(
        decision,
        effect=DecisionEffect.DENY,
        passes=decision.mode is not EnforcementMode.ENFORCE,
        reason=DecisionReason.NOT_ITS_OWN,
        determining=(),
        layer=DecisionLayer.OWNERSHIP,
    )


def _needs_gateway_state(call: McpCall) -> bool:
    """Return whether a call refers to state that only the gateway has.

    A session belongs to the server here, and its opening was not seen.
    """
    cancels = call.method == _CANCELLED and call.about is not None
    watches = any(each.target is TargetKind.TASK for each in call.watched)
    is_of_one = call.target is TargetKind.TASK or call.kind is MessageKind.RESPONSE
    return bool(call.state or call.session) or cancels or watches or is_of_one


def _build_authorization_request(
    caller: VerifiedCaller,
    call: McpCall,
    target: TargetKind,
    name: str,
    arguments: memoryview = NO_ARGUMENTS,
) -> AuthorizationRequest:
    """Build the authorization request for one target of a call."""
    return AuthorizationRequest(
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


def _build_call_summary(
    call: McpCall, body: bytes, enforcement_point: EnforcementPoint
) -> CallSummary:
    """Describe a call for its decision record, with digests of its arguments."""
    arguments = call.arguments
    return CallSummary(
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
        asked_by=enforcement_point.principal,
    )


def _build_malformed_request_response(refusal: RequestRefused, request: Any) -> Any:
    """Build the response that refuses a malformed MCP request."""
    http = request.attributes.request.http
    raw = {each.key.lower(): each.value for each in http.header_map.headers}
    said = http.headers.get(VERSION_HEADER) or raw.get(VERSION_HEADER, "")
    status = refusal.http_status(has_session=said != McpRevision.V2026_07_28)
    return build_deny_response(status, refusal.jsonrpc_error(said))


def _build_unauthenticated_response(error: Unauthenticated) -> Any:
    """Build the response that refuses an unauthenticated caller."""
    fields = {"www-authenticate": error.challenge} if error.challenge else {}
    if error.nonce:
        fields["dpop-nonce"] = error.nonce
    return build_deny_response(error.status, fields=fields)
