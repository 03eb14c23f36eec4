"""Evaluate AuthZEN access requests: decide, record the decision, answer.

An enforcement point gets the effect and a decision id, like a refused agent at the
gateway. Reason, rule and exceptions are for owners and operators, who look them up by
id.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from answerable.authorization.decision_table import build_mode_independent_decision
from answerable.model.approval_request import ApprovalScope
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionReason,
    TargetKind,
)
from answerable.model.spool_record import CallSummary
from answerable.pdp import mcp_vocabulary
from answerable.pdp.baseline_guard import BaselineGuard
from answerable.pdp.enforcement_points import EnforcementPoint
from answerable.pdp.mcp_vocabulary import McpCallQuery
from answerable.pdp.recording.evaluation_recorder import EvaluationRecorder
from answerable.pdp.subject_resolution import SubjectResolver
from answerable.pdp.tool_mapping_resolver import ToolMappingResolver
from answerable.pdp.wire.batch_request import (
    BatchSemantic,
    parse_batch,
    parse_evaluations_semantic,
)
from answerable.pdp.wire.evaluation_request import (
    EvaluationRequest,
    JsonMembers,
    parse_evaluation,
)
from answerable.pdp.wire.problem_documents import MissingKey
from answerable.server.recording.record_ticket import NotRecorded
from answerable.usecases.authorization.authorize import Authorizer

AUTHZEN_ERA = "authzen-1.0"
# Obligation of an `ask`: the call waits for the agent's owner, and is then evaluated
# again.
ASK_OWNER = "ask-owner"
# Unknown arguments: a policy that reads any errs, and so denies.
UNKNOWN_ARGUMENTS = b"?"


class EvaluationAnswer(msgspec.Struct, frozen=True):
    """Result of one evaluation.

    Attributes:
        passes: The call may proceed.
        effect: `allow`, `ask`, `deny` or `error`.
        id: Decision id, empty if it could not be recorded.
    """

    passes: bool
    effect: str
    id: str

    @property
    def reported_effect(self) -> str:
        """Return the effect to report: an allow that the mode blocks is a denial."""
        return "deny" if self.effect == DecisionEffect.ALLOW.value else self.effect

    def to_decision(self) -> dict[str, Any]:
        """Return the AuthZEN Decision (1.0, 5.5)."""
        if self.passes:
            return {"decision": True, "context": {"decision_id": self.id}}
        context: dict[str, Any] = {
            "decision": self.reported_effect,
            "decision_id": self.id,
        }
        if self.reported_effect == DecisionEffect.ASK.value:
            context["obligations"] = [{"id": ASK_OWNER}]
        return {"decision": False, "context": context}


class EvaluationService:
    """Service behind the evaluation endpoints.

    Args:
        subjects: Resolves subjects to callers.
        told: Called with id, wanted call and decision.
    """

    def __init__(
        self,
        authority: Authorizer,
        subjects: SubjectResolver,
        recorder: EvaluationRecorder,
        mapped: ToolMappingResolver,
        behaviour: BaselineGuard,
        told: Callable[[str, ApprovalScope, Decision], None],
    ) -> None:
        self._told = told
        self.authority, self.subjects = authority, subjects
        self._recorder, self._mapped = recorder, mapped
        self._behaviour = behaviour

    async def evaluate(
        self, body: JsonMembers, enforcement_point: EnforcementPoint
    ) -> dict[str, Any]:
        """Answer an Access Evaluation request.

        Raises:
            Invalid: It is malformed.
        """
        return (
            await self.decide_and_record(parse_evaluation(body), enforcement_point)
        ).to_decision()

    async def evaluate_batch(
        self, body: JsonMembers, enforcement_point: EnforcementPoint
    ) -> dict[str, Any]:
        """Answer an Access Evaluations request.

        Raises:
            Invalid: It is malformed.
        """
        semantic = parse_evaluations_semantic(body)
        evaluations = parse_batch(body)
        if not evaluations:
            return await self.evaluate(body, enforcement_point)
        if semantic is BatchSemantic.ALL:
            # Together, so that those that wait for the disk wait once.
            items = (
                self._evaluate_batch_item(each, number, enforcement_point)
                for number, each in enumerate(evaluations)
            )
            return {"evaluations": await asyncio.gather(*items)}
        answers: list[dict[str, Any]] = []
        for number, each in enumerate(evaluations):
            answers.append(
                await self._evaluate_batch_item(each, number, enforcement_point)
            )
            if semantic.stops_after(answers[-1]["decision"]):
                break
        return {"evaluations": answers}

    async def decide_and_record(
        self, evaluation: EvaluationRequest, enforcement_point: EnforcementPoint
    ) -> EvaluationAnswer:
        """Decide an AuthZEN evaluation, and record the decision."""
        caller = await self.subjects.resolve(evaluation, enforcement_point)
        arguments = evaluation.action.arguments
        asked, decision = self._decide_strictest_meaning(
            caller, self._to_call_queries(evaluation, enforcement_point), arguments
        )
        act = _build_call_summary(evaluation, asked, enforcement_point)
        return await self.record_decision(caller, act, decision)

    async def record_decision(
        self, caller: VerifiedCaller, call_summary: CallSummary, decision: Decision
    ) -> EvaluationAnswer:
        """Record a decision and build the AuthZEN response."""
        try:
            id = await self._recorder.record_decision(caller, call_summary, decision)
        except NotRecorded:
            return EvaluationAnswer(False, DecisionEffect.ERROR.value, "")
        wanted = ApprovalScope(
            caller.agent,
            call_summary.server,
            call_summary.target,
            call_summary.name,
            call_summary.arguments,
        )
        self._told(id, wanted, decision)
        return EvaluationAnswer(decision.passes, decision.effect.value, id)

    def would_allow(self, caller: VerifiedCaller, query: McpCallQuery) -> bool:
        """Return whether a call would be allowed with unknown arguments.

        Nothing is recorded.
        """
        return self._decide_call_query(caller, query, None).passes

    async def _evaluate_batch_item(
        self, item: JsonMembers, number: int, enforcement_point: EnforcementPoint
    ) -> dict[str, Any]:
        """Evaluate one item of a batch; a missing key is an error of that item."""
        try:
            evaluation = parse_evaluation(item, path_prefix=f"evaluations[{number}].")
        except MissingKey as missing:
            self._recorder.count_refused_request(missing.why)
            error = {"status": missing.status, "message": missing.message}
            return {"decision": False, "context": {"error": error}}
        return (
            await self.decide_and_record(evaluation, enforcement_point)
        ).to_decision()

    def to_call_query(
        self, evaluation: EvaluationRequest, enforcement_point: EnforcementPoint
    ) -> McpCallQuery | None:
        """Convert to an MCP call query; None if the caller may not ask it."""
        servers = enforcement_point.servers
        usual = servers[0] if len(servers) == 1 else ""
        action, resource = evaluation.action, evaluation.resource
        asked = mcp_vocabulary.parse_call_query(
            action, resource, usual, self.subjects.audiences
        )
        if asked is None or (servers and asked.server not in servers):
            return None
        return asked

    def _to_call_queries(
        self, evaluation: EvaluationRequest, enforcement_point: EnforcementPoint
    ) -> list[McpCallQuery | None]:
        """Convert to MCP call queries, by approved tool mappings if necessary."""
        asked = self.to_call_query(evaluation, enforcement_point)
        if asked is not None:
            return [asked]
        return [*self._mapped.find_calls(evaluation, enforcement_point.servers)] or [
            None
        ]

    def _decide_strictest_meaning(
        self,
        caller: VerifiedCaller,
        query: Sequence[McpCallQuery | None],
        arguments: bytes | None,
    ) -> tuple[McpCallQuery | None, Decision]:
        """Decide all possible meanings and return one that is denied, if any."""
        decided = [
            (each, self._decide_call_query(caller, each, arguments)) for each in query
        ]
        held_back = (each for each in decided if not each[1].passes)
        return next(held_back, decided[0])

    def _decide_call_query(
        self,
        caller: VerifiedCaller,
        query: McpCallQuery | None,
        arguments: bytes | None,
    ) -> Decision:
        """Decide one MCP call query; None, an unknown one, is denied."""
        if query is None:
            return build_mode_independent_decision(
                self.authority.policy_digest,
                DecisionEffect.DENY,
                DecisionReason.NO_RULE,
            )
        return self.decide_request(
            caller, build_policy_request(caller, query, arguments)
        )

    def decide_request(
        self, caller: VerifiedCaller, request: AuthorizationRequest
    ) -> Decision:
        """Decide a request by the policy and the agent's baseline."""
        decision = self.authority.authorize(request)
        judged = self._behaviour.apply_baseline(
            caller, request.server, request.target, decision
        )
        if judged.reason is DecisionReason.BEHAVIOUR:
            return self.authority.apply_exceptions(request, judged)
        return judged


def build_policy_request(
    caller: VerifiedCaller, query: McpCallQuery, arguments: bytes | None
) -> AuthorizationRequest:
    """Build the policy request; None arguments are unknown."""
    return AuthorizationRequest(
        agent=caller.agent,
        known=caller.known,
        server=query.server,
        action=query.action,
        target=query.target,
        name=query.name,
        run=caller.run,
        principal=caller.principal,
        person=caller.person,
        chain=caller.chain,
        arguments=UNKNOWN_ARGUMENTS if arguments is None else arguments,
    )


def _build_call_summary(
    evaluation: EvaluationRequest,
    query: McpCallQuery | None,
    enforcement_point: EnforcementPoint,
) -> CallSummary:
    """Describe an evaluation for its decision record."""
    arguments = evaluation.action.arguments or b""
    return CallSummary(
        era=AUTHZEN_ERA,
        method=query.action if query else evaluation.action.name,
        server=query.server if query else "",
        target=query.target if query else TargetKind.REQUEST,
        name=query.name if query else evaluation.resource.id,
        size=len(arguments),
        arguments=hashlib.sha256(arguments).hexdigest() if arguments else "",
        asked_by=enforcement_point.principal,
    )
