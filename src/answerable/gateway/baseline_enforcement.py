"""Enforce behaviour baselines: judge each call by its agent's profiles.

Each agent with a `baseline` has a window: the recent inputs and actions of its runs.
The window explains the origins of a call's values. The signed profile, where there is
one, judges the call, and the record holds both. Results are kept for a while, to
explain the calls that follow.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from answerable.baseline.argument_paths import list_used_argument_paths
from answerable.baseline.call_judgement import STRICTNESS, judge_call
from answerable.baseline.profile_index import ProfileIndex
from answerable.baseline.profile_learning import build_empty_profile
from answerable.baseline.recent_result_window import RecentResultWindow
from answerable.baseline.tool_result_fields import mcp_result_content
from answerable.gateway.baseline_decisions import (
    build_ambiguous_argument_error,
    choose_stricter_decision,
    deny_failed_evaluation,
)
from answerable.gateway.call_redaction import drop_values, redact_secrets
from answerable.gateway.call_workload_and_network import build_workload_and_network
from answerable.gateway.person_requests import (
    PersonRequestIndex,
    ignore_rejected_request,
)
from answerable.model.baseline import BaselineStage, BaselineSubject
from answerable.model.baseline_assessment import NO_DEVIATION, BaselineAssessment
from answerable.model.behaviour import CallObservation, JsonValue, RunEnvelope
from answerable.model.caller import VerifiedCaller
from answerable.model.config import Config
from answerable.model.decision import Decision, TargetKind
from answerable.model.ids import AgentId
from answerable.model.json_key_lookalikes import build_json_key_tree
from answerable.model.json_value_count import (
    MAX_ARGUMENT_VALUES,
    exceeds_json_value_count,
)
from answerable.model.learning_config import ColdStartMode, LearningConfig
from answerable.model.spool_record import CallBehaviour
from answerable.model.time_units import SECOND_NS
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.services.statements.person_requests import PersonRequestReader
from answerable.services.statements.signed_baselines import (
    ActiveBaseline,
    SignedBaselineReader,
)
from answerable.services.statements.statements_in_force import StatementsInForce

MAX_WINDOWS = 64  # agents with a window; the least recently used one is evicted


@dataclass(frozen=True, slots=True)
class EnforcedProfile:
    """Profile that calls of an agent are judged by.

    Attributes:
        digest: Digest of the profile, hex; empty for one that has learned nothing.
        enforced: Calls outside the profile are held back; otherwise the verdict is only
            recorded.
    """

    profile_index: ProfileIndex
    digest: str
    enforced: bool


NO_IDENTITIES: Mapping[AgentId, str] = {}

ProfilesBySubject = Mapping[BaselineSubject, EnforcedProfile]
DefinitionDigest = Callable[[str, str], str]
# Learning settings of the agent, profiles of its chain, envelope of the call.
JudgementContext = tuple[LearningConfig, tuple[EnforcedProfile, ...], RunEnvelope]


def _empty_definition_digest(server: str, tool: str) -> str:
    """Return "": the digest lookup of a gateway that pins no tool definitions."""
    return ""


class ObservedCall(msgspec.Struct):
    """Observed call, until its result arrives.

    Attributes:
        window: Window of its agent.
        acted: Activity that goes on record.
        came: The call with its result; None until there is one.
    """

    window: RecentResultWindow
    run: str
    call: CallObservation
    arguments: JsonValue
    acted: CallBehaviour
    came: CallObservation | None = None


class BaselineEnforcer:
    """Observes and judges the calls of agents with a baseline, for one worker.

    Args:
        config: Names the watched agents and the facts about tools.
        defined: Returns the digest of a tool's pinned definition, by server and tool.
        rejected: Called once for each request of a person that names a run of another.
        clock: Returns UTC nanoseconds.
    """

    def __init__(
        self,
        config: Config,
        defined: DefinitionDigest = _empty_definition_digest,
        rejected: Callable[[str, str], None] = ignore_rejected_request,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock, self._defined = clock, defined
        self._requests = PersonRequestIndex(rejected)
        self._windows: OrderedDict[AgentId, RecentResultWindow] = OrderedDict()
        self._baselines: tuple[ActiveBaseline, ...] = ()
        self._standards: ProfilesBySubject = {}
        self._index_config(config)

    def reconfigure(self, config: Config) -> None:
        """Apply another configuration.

        Windows are cleared where tools, tables or the watched agents differ: older
        observations explain nothing then.
        """
        before = self._facts, self._tables, self._watched
        self._index_config(config)
        if before != (self._facts, self._tables, self._watched):
            self._windows.clear()

    def apply_statements(self, statements: StatementsInForce) -> None:
        """Judge by these signed profiles and requests from the next call on."""
        baselines = statements.get(SignedBaselineReader)
        if baselines is not self._baselines:
            self._baselines = baselines
            self._standards = _build_profiles(baselines)
        self._requests.replace_all(statements.get(PersonRequestReader))

    def check_call(
        self,
        caller: VerifiedCaller,
        call: McpCall,
        identity: str,
        decision: Decision,
        network: str = "",
        *,
        ancestors: Mapping[AgentId, str] = NO_IDENTITIES,
    ) -> tuple[Decision, ObservedCall | None]:
        """Observe a call and judge it by the profiles of its agent chain.

        A sub-agent is observed where any agent above it is, and each profile of the
        chain judges the call.

        Args:
            caller: The verified caller.
            call: The call.
            identity: Principal that the server will see; empty where it is none of
                ours.
            decision: The decision of the policy.
            network: Network of the client connection.
            ancestors: Principal that the server would see, by agent above the caller.

        Returns:
            The combined decision, which never allows more than the policy alone, and
            the observed call; None where the agent is not watched.
        """
        learning = self._find_learning_settings(caller)
        is_call = call.kind is MessageKind.REQUEST and call.target is TargetKind.TOOL
        if learning is None or not is_call:
            return decision, None
        identity = _identity_without_credential_id(identity)
        chain = tuple(
            self._profiles_of_chain(
                caller, call.server, {caller.agent: identity, **ancestors}
            )
        )
        try:
            judging = (learning, chain, build_workload_and_network(caller, network))
            return self._observe_and_judge_call(
                caller, call, identity, decision, judging
            )
        except Exception:  # noqa: BLE001 - whatever went wrong, the answer is no
            return deny_failed_evaluation(
                decision, _list_enforced_profile_digests(chain)
            ), None

    def _observe_and_judge_call(
        self,
        caller: VerifiedCaller,
        call: McpCall,
        identity: str,
        decision: Decision,
        context: JudgementContext,
    ) -> tuple[Decision, ObservedCall]:
        """Observe a call; combine the policy decision with the strictest assessment."""
        learning, chain, envelope = context
        arguments: JsonValue = {}
        if call.arguments:
            if exceeds_json_value_count(bytes(call.arguments), MAX_ARGUMENT_VALUES):
                raise ValueError(
                    "the call has too many values to compare with a baseline"
                )
            arguments = msgspec.json.decode(call.arguments)
        window, now, run = (
            self._get_window(caller.agent, learning),
            self._clock(),
            caller.run,
        )
        if not window.has_run(run):
            window.begin_run(run, now)
        window.set_person_requests(run, self._requests.find_for_caller(caller, now))
        tool = f"{call.server}/{call.name}"
        definition = self._defined(call.server, call.name)
        seen = window.observe_call(run, "", now, tool, arguments, definition)
        progress = window.sum_recent_calls(run, now)
        found = [
            (each, judge_call(each.profile_index, seen, progress, envelope))
            for each in chain
        ]
        standard, judgement = max(
            found, key=_strictness_key, default=(None, NO_DEVIATION)
        )
        acted = _build_behaviour_record(seen, identity, context, standard, judgement)
        watched = ObservedCall(window, run, seen, arguments, acted)
        if isinstance(arguments, dict) and self._has_confusable_argument(
            tool, chain, arguments
        ):
            return build_ambiguous_argument_error(
                decision, _list_enforced_profile_digests(chain)
            ), watched
        return choose_stricter_decision(decision, acted, judgement), watched

    def _has_confusable_argument(
        self,
        tool: str,
        chain: tuple[EnforcedProfile, ...],
        arguments: dict[str, JsonValue],
    ) -> bool:
        """Return whether an argument name resembles one that a profile reads."""
        read = [self._names.get(tool, ())]
        read += [each.profile_index.names.get(tool, ()) for each in chain]
        tree = build_json_key_tree(tuple(path for each in read for path in each))
        return bool(tree.find_lookalike_key(arguments))

    def _find_learning_settings(self, caller: VerifiedCaller) -> LearningConfig | None:
        """Return the learning settings of the caller or the nearest agent above it."""
        for agent in (caller.agent, *reversed(caller.chain)):
            if agent in self._watched:
                return self._watched[agent]
        return None

    def record_result(
        self, observed: ObservedCall, decision_id: str, data: bytes
    ) -> None:
        """Remember the values of a call's result, as origins of later arguments.

        Args:
            observed: The call.
            decision_id: Id of the decision on it.
            data: The complete message.
        """
        said = msgspec.json.decode(data)
        result = said.get("result")
        brought: JsonValue = said.get("error")
        if isinstance(result, dict):
            brought = mcp_result_content(result)
        call = replace(observed.call, id=decision_id)
        observed.came = observed.window.add_call_result(
            observed.run, call, observed.arguments, brought
        )

    def record_oversized_result(
        self, observed: ObservedCall, decision_id: str, size: int
    ) -> None:
        """Note that a result was too large to observe, with its size."""
        call = replace(observed.call, id=decision_id)
        observed.came = observed.window.add_call_with_oversized_result(
            observed.run, call, observed.arguments, size
        )

    def _index_config(self, config: Config) -> None:
        """Index the agents with a baseline, the facts about tools, and the tables."""
        self._watched = {
            agent.id: agent.baseline
            for agent in config.agents
            if agent.baseline is not None
        }
        self._facts = {
            f"{server.name}/{tool}": facts
            for server in config.servers
            for tool, facts in server.tools
        }
        self._tables = config.tables
        self._names = list_used_argument_paths(self._facts, self._tables)
        self._cold = {
            id: _build_cold_start_profile(id, learning.cold)
            for id, learning in self._watched.items()
        }

    def _get_window(
        self, agent: AgentId, settings: LearningConfig
    ) -> RecentResultWindow:
        """Return the observation window of an agent; evict the oldest if too many."""
        window = self._windows.get(agent)
        if window is None:
            span = settings.span * SECOND_NS
            window = self._windows[agent] = RecentResultWindow(
                self._facts, self._tables, span
            )
            if len(self._windows) > MAX_WINDOWS:
                self._windows.popitem(last=False)
        self._windows.move_to_end(agent)
        return window

    def _profiles_of_chain(
        self, caller: VerifiedCaller, server: str, identities: Mapping[AgentId, str]
    ) -> Iterator[EnforcedProfile]:
        """Yield the profiles of an agent and of the agents above it."""
        for agent in (caller.agent, *caller.chain):
            identity = _identity_without_credential_id(identities.get(agent, ""))
            found = self._standards.get(BaselineSubject(identity, agent, server))
            found = found or self._cold.get(agent)
            if found is not None:
                yield found


def _build_profiles(baselines: Iterable[ActiveBaseline]) -> ProfilesBySubject:
    """Index the profiles of signed baselines, by subject."""
    return {
        each.subject: EnforcedProfile(
            ProfileIndex.build(each.profile),
            each.digest,
            each.stage is BaselineStage.ENFORCE,
        )
        for each in baselines
    }


def _strictness_key(
    assessed: tuple[EnforcedProfile, BaselineAssessment],
) -> tuple[bool, int]:
    """Sort key of a judgement: enforced and restrictive ones come last."""
    standard, judgement = assessed
    strictness = STRICTNESS[judgement.effect]
    return standard.enforced and strictness > 0, strictness


def _identity_without_credential_id(identity: str) -> str:
    """Return the identity for a profile; a credential's id changes at each rotation."""
    return "" if identity.startswith("cred:") else identity


def _build_cold_start_profile(
    agent: AgentId, mode: ColdStartMode
) -> EnforcedProfile | None:
    """Build the profile for an agent without a learned one; None if it is off."""
    if mode is ColdStartMode.OFF:
        return None
    held = ProfileIndex.build(build_empty_profile(BaselineSubject("", agent, "")))
    return EnforcedProfile(held, "", mode is ColdStartMode.ENFORCE)


def _build_behaviour_record(
    observation: CallObservation,
    identity: str,
    context: JudgementContext,
    profile: EnforcedProfile | None,
    assessment: BaselineAssessment,
) -> CallBehaviour:
    """Build the behaviour record of a call, its values redacted or dropped."""
    learning, _, envelope = context
    acted = CallBehaviour(
        observation,
        identity,
        learning.span,
        effect=assessment.effect if profile else "",
        profile=profile.digest if profile else "",
        enforced=profile is not None and profile.enforced,
        findings=assessment.findings,
        amendment=assessment.amendment,
        envelope=envelope,
    )
    return redact_secrets(acted) if learning.values else drop_values(acted)


def _list_enforced_profile_digests(
    chain: tuple[EnforcedProfile, ...],
) -> tuple[str, ...]:
    """List the digests of the enforced profiles of a call's delegation chain."""
    return tuple(each.digest for each in chain if each.enforced)
