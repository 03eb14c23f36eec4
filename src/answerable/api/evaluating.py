"""One question, one decision, one record, one answer; and several of them.

What an enforcement point hears is what a refused agent hears at the gateway: whether,
and an id. Reason, rule and amendment stay with owner and operator, who read them by it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from answerable.api import vocabulary
from answerable.api.behaviour import Behaviour
from answerable.api.enforcers import Enforcer
from answerable.api.mapped import Mapped
from answerable.api.recording.recorder import Recorder
from answerable.api.subjects import Subjects
from answerable.api.vocabulary import Asked
from answerable.api.wire.entities import Evaluation, Members, read_evaluation
from answerable.api.wire.problems import Missing
from answerable.api.wire.several import Semantic, evaluations_of, semantic_of
from answerable.enforce.table import held
from answerable.flows.authorize import Authority
from answerable.model.ask import Wanted
from answerable.model.caller import Caller
from answerable.model.decision import Decision, Effect, Reason, Request, Target
from answerable.model.record import Act
from answerable.serving.recording.ticket import NotRecorded

ERA = "authzen-1.0"
# What a decision that asks obliges whoever enforces to: nothing goes on before the
# agent's owner has said so, and then it is to be asked anew.
ASK_OWNER = "ask-owner"
# Arguments that nobody said: a policy that reads any has no answer, and so denies.
UNSAID = b"?"


class Answer(msgspec.Struct, frozen=True):
    """What is heard.

    Attributes:
        passes: The call may go on.
        effect: `allow`, `ask`, `deny` or `error`.
        id: Of the record, empty where it could not be written.
    """

    passes: bool
    effect: str
    id: str

    @property
    def word(self) -> str:
        """What is heard of a refusal: what is allowed and held back is a denial."""
        return "deny" if self.effect == Effect.ALLOW.value else self.effect

    def told(self) -> dict[str, Any]:
        """The Decision of AuthZEN 1.0, 5.5."""
        if self.passes:
            return {"decision": True, "context": {"decision_id": self.id}}
        context: dict[str, Any] = {"decision": self.word, "decision_id": self.id}
        if self.word == Effect.ASK.value:
            context["obligations"] = [{"id": ASK_OWNER}]
        return {"decision": False, "context": context}


class Evaluating:
    """Answers evaluations.

    Args:
        authority: Decides.
        subjects: Finds who they are about.
        recorder: Records.
        mapped: Finds what is asked in the words of approved mappings.
        behaviour: Holds back what a baseline would judge.
        told: Hears of what agents wanted, and what was decided: id, act and decision.
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
            Invalid: It is none.
        """
        return (await self.answer(read_evaluation(said), asked_by)).told()

    async def several(self, said: Members, asked_by: Enforcer) -> dict[str, Any]:
        """Answer an Access Evaluations request.

        Raises:
            Invalid: It is none.
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
        """Decide on one evaluation, and record that."""
        caller = await self.subjects.find(evaluation, asked_by)
        arguments = evaluation.action.arguments
        asked, decision = self._strictest(
            caller, self._understood(evaluation, asked_by), arguments
        )
        act = _act(evaluation, asked, asked_by)
        return await self.recorded(caller, act, decision)

    async def recorded(self, caller: Caller, act: Act, decision: Decision) -> Answer:
        """Record a decision, and make the answer of it."""
        try:
            id = await self._recorder.decided(caller, act, decision)
        except NotRecorded:
            return Answer(False, Effect.ERROR.value, "")
        wanted = Wanted(caller.agent, act.server, act.target, act.name, act.arguments)
        self._told(id, wanted, decision)
        return Answer(decision.passes, decision.effect.value, id)

    def would_pass(self, caller: Caller, asked: Asked) -> bool:
        """Say whether a call would go on, whatever it is called with.

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
        """Say what is asked, where that is in our words and within what may be asked."""
        servers = asked_by.servers
        usual = servers[0] if len(servers) == 1 else ""
        action, resource = evaluation.action, evaluation.resource
        asked = vocabulary.read(action, resource, usual, self.subjects.audiences)
        if asked is None or (servers and asked.server not in servers):
            return None
        return asked

    def _understood(
        self, evaluation: Evaluation, asked_by: Enforcer
    ) -> list[Asked | None]:
        """Say what is asked: in our words, else in those of approved mappings."""
        asked = self.understood(evaluation, asked_by)
        if asked is not None:
            return [asked]
        return [*self._mapped.find(evaluation, asked_by.servers)] or [None]

    def _strictest(
        self, caller: Caller, asked: Sequence[Asked | None], arguments: bytes | None
    ) -> tuple[Asked | None, Decision]:
        """Decide on all that may be meant: one that may not go on is the answer."""
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
    """Make what is asked of the policy; arguments that are None are not known."""
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
