"""Access evaluation: decide, record, answer.

An enforcement point gets the effect and a decision id, like a refused agent at the
gateway. Reason, rule and exceptions are for owners and operators, who look them up by
id.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from answerable.authorization.decision_table import held
from answerable.model.approval_request import Wanted
from answerable.model.caller import Caller
from answerable.model.decision import Decision, Effect, Reason, Request, Target
from answerable.model.spool_record import Act
from answerable.pdp import mcp_vocabulary
from answerable.pdp.baseline_guard import Behaviour
from answerable.pdp.enforcement_points import Enforcer
from answerable.pdp.mapped_calls import Mapped
from answerable.pdp.mcp_vocabulary import Asked
from answerable.pdp.recording.evaluation_recorder import Recorder
from answerable.pdp.subject_resolution import Subjects
from answerable.pdp.wire.batch_request import Semantic, evaluations_of, semantic_of
from answerable.pdp.wire.evaluation_request import Evaluation, Members, read_evaluation
from answerable.pdp.wire.problems import Missing
from answerable.server.recording.record_ticket import NotRecorded
from answerable.usecases.authorization.authorize import Authority

ERA = "authzen-1.0"
# Obligation of an `ask`: the call waits for the agent's owner, and is then evaluated
# again.
ASK_OWNER = "ask-owner"
# Unknown arguments: a policy that reads any errs, and so denies.
UNSAID = b"?"


class Answer(msgspec.Struct, frozen=True):
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
    def word(self) -> str:
        """Return the reported effect: an allow that is held back is a denial."""
        return "deny" if self.effect == Effect.ALLOW.value else self.effect

    def told(self) -> dict[str, Any]:
        """Return the AuthZEN Decision (1.0, 5.5)."""
        if self.passes:
            return {"decision": True, "context": {"decision_id": self.id}}
        context: dict[str, Any] = {"decision": self.word, "decision_id": self.id}
        if self.word == Effect.ASK.value:
            context["obligations"] = [{"id": ASK_OWNER}]
        return {"decision": False, "context": context}


class Evaluating:
    """Service behind the evaluation endpoints.

    Args:
        subjects: Resolves subjects to callers.
        told: Called with id, wanted call and decision.
    """

    def __init__(
        self,
        authority: Authority,
        subjects: Subjects,
        recorder: Recorder,
        mapped: Mapped,
        behaviour: Behaviour,
        told: Callable[[str, Wanted, Decision], None],
    ) -> None:
        self._told = told
        self.authority, self.subjects = authority, subjects
        self._recorder, self._mapped = recorder, mapped
        self._behaviour = behaviour

    async def one(self, said: Members, asked_by: Enforcer) -> dict[str, Any]:
        """Answer an Access Evaluation request.

        Raises:
            Invalid: It is malformed.
        """
        return (await self.answer(read_evaluation(said), asked_by)).told()

    async def several(self, said: Members, asked_by: Enforcer) -> dict[str, Any]:
        """Answer an Access Evaluations request.

        Raises:
            Invalid: It is malformed.
        """
        semantic = semantic_of(said)
        evaluations = evaluations_of(said)
        if not evaluations:
            return await self.one(said, asked_by)
        if semantic is Semantic.ALL:
            # Together, so that those that wait for the disk wait once.
            items = (
                self._item(each, number, asked_by)
                for number, each in enumerate(evaluations)
            )
            return {"evaluations": await asyncio.gather(*items)}
        answers: list[dict[str, Any]] = []
        for number, each in enumerate(evaluations):
            answers.append(await self._item(each, number, asked_by))
            if semantic.ends_at(answers[-1]["decision"]):
                break
        return {"evaluations": answers}

    async def answer(self, evaluation: Evaluation, asked_by: Enforcer) -> Answer:
        """Decide one evaluation and record the decision."""
        caller = await self.subjects.find(evaluation, asked_by)
        arguments = evaluation.action.arguments
        asked, decision = self._strictest(
            caller, self._understood(evaluation, asked_by), arguments
        )
        act = _act(evaluation, asked, asked_by)
        return await self.recorded(caller, act, decision)

    async def recorded(self, caller: Caller, act: Act, decision: Decision) -> Answer:
        """Record a decision and build the answer."""
        try:
            id = await self._recorder.decided(caller, act, decision)
        except NotRecorded:
            return Answer(False, Effect.ERROR.value, "")
        wanted = Wanted(caller.agent, act.server, act.target, act.name, act.arguments)
        self._told(id, wanted, decision)
        return Answer(decision.passes, decision.effect.value, id)

    def would_pass(self, caller: Caller, asked: Asked) -> bool:
        """Tell whether a call would be allowed with unknown arguments.

        Nothing is recorded.
        """
        return self._decide(caller, asked, None).passes

    async def _item(
        self, said: Members, number: int, asked_by: Enforcer
    ) -> dict[str, Any]:
        try:
            evaluation = read_evaluation(said, at=f"evaluations[{number}].")
        except Missing as missing:
            self._recorder.turned_away(missing.why)
            error = {"status": missing.status, "message": missing.message}
            return {"decision": False, "context": {"error": error}}
        return (await self.answer(evaluation, asked_by)).told()

    def understood(self, evaluation: Evaluation, asked_by: Enforcer) -> Asked | None:
        """Return the question in MCP vocabulary, if the enforcement point may ask it."""
        servers = asked_by.servers
        usual = servers[0] if len(servers) == 1 else ""
        action, resource = evaluation.action, evaluation.resource
        asked = mcp_vocabulary.read(action, resource, usual, self.subjects.audiences)
        if asked is None or (servers and asked.server not in servers):
            return None
        return asked

    def _understood(
        self, evaluation: Evaluation, asked_by: Enforcer
    ) -> list[Asked | None]:
        """Return the question in MCP vocabulary, else by approved mappings."""
        asked = self.understood(evaluation, asked_by)
        if asked is not None:
            return [asked]
        return [*self._mapped.find(evaluation, asked_by.servers)] or [None]

    def _strictest(
        self, caller: Caller, asked: Sequence[Asked | None], arguments: bytes | None
    ) -> tuple[Asked | None, Decision]:
        """Decide all possible meanings and return one that is denied, if any."""
        decided = [(each, self._decide(caller, each, arguments)) for each in asked]
        held_back = (each for each in decided if not each[1].passes)
        return next(held_back, decided[0])

    def _decide(
        self, caller: Caller, asked: Asked | None, arguments: bytes | None
    ) -> Decision:
        if asked is None:
            return held(self.authority.policy, Effect.DENY, Reason.NO_RULE)
        return self.decided(caller, request_of(caller, asked, arguments))

    def decided(self, caller: Caller, request: Request) -> Decision:
        """Decide by policy and baseline."""
        decision = self.authority.authorize(request)
        judged = self._behaviour.judge(caller, request.server, request.target, decision)
        if judged.reason is Reason.BEHAVIOUR:
            return self.authority.amended(request, judged)
        return judged


def request_of(caller: Caller, asked: Asked, arguments: bytes | None) -> Request:
    """Build the policy request; None arguments are unknown."""
    return Request(
        agent=caller.agent,
        known=caller.known,
        server=asked.server,
        action=asked.action,
        target=asked.target,
        name=asked.name,
        run=caller.run,
        principal=caller.principal,
        person=caller.person,
        chain=caller.chain,
        arguments=UNSAID if arguments is None else arguments,
    )


def _act(evaluation: Evaluation, asked: Asked | None, asked_by: Enforcer) -> Act:
    arguments = evaluation.action.arguments or b""
    return Act(
        era=ERA,
        method=asked.action if asked else evaluation.action.name,
        server=asked.server if asked else "",
        target=asked.target if asked else Target.REQUEST,
        name=asked.name if asked else evaluation.resource.id,
        size=len(arguments),
        arguments=hashlib.sha256(arguments).hexdigest() if arguments else "",
        asked_by=asked_by.principal,
    )
