"""Enforcement of baselines: a call is observed before it goes on, its result after it.

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

from answerable.baseline.argument_paths import names_read
from answerable.baseline.judgement import STRICT, judge
from answerable.baseline.learning import cold
from answerable.baseline.profile_document import decode
from answerable.baseline.profile_index import Held
from answerable.baseline.tool_results import of_mcp
from answerable.baseline.window import Window
from answerable.gateway.activity_redaction import drop_values, redact_secrets
from answerable.gateway.baseline_decisions import (
    ambiguous_argument,
    combine_decisions,
    evaluation_failed,
)
from answerable.gateway.call_envelope import envelope_of
from answerable.gateway.person_requests import Requests
from answerable.model.baseline import Stage, Subject
from answerable.model.baseline_assessment import ALLOWED, Judgement
from answerable.model.behaviour import Envelope, Json, Observation
from answerable.model.caller import Caller
from answerable.model.config import Config
from answerable.model.decision import Decision, Target
from answerable.model.ids import AgentId
from answerable.model.json_keys import key_tree
from answerable.model.json_values import MOST_VALUES, has_more_values
from answerable.model.learning import Cold, Learning
from answerable.model.spool_record import Acted
from answerable.server.baseline_watch import InForce
from answerable.server.mcp.call import Call
from answerable.server.mcp.messages import Kind

MOST = 64  # agents with a window; the least recently used one is evicted
_SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Standard:
    """Profile that calls of an agent are judged by.

    Attributes:
        digest: Digest of the profile, hex; empty for one that has learned nothing.
        enforced: Calls outside the profile are held back; otherwise the verdict is only
            recorded.
    """

    held: Held
    digest: str
    enforced: bool


NO_IDENTITIES: Mapping[AgentId, str] = {}

Standards = Mapping[Subject, Standard]
Defined = Callable[[str, str], str]
# Learning settings of the agent, profiles of its chain, envelope of the call.
Judging = tuple[Learning, tuple[Standard, ...], Envelope]


def _undefined(server: str, tool: str) -> str:
    """Return an empty digest: no definition is pinned."""
    return ""


class Seen(msgspec.Struct):
    """Observed call, until its result arrives.

    Attributes:
        window: Window of its agent.
        acted: Activity that goes on record.
        came: The call with its result; None until there is one.
    """

    window: Window
    run: str
    call: Observation
    arguments: Json
    acted: Acted
    came: Observation | None = None


class Behaviour:
    """Observes and judges the calls of agents with a baseline, for one worker.

    Args:
        config: Names the watched agents and the facts about tools.
        defined: Returns the digest of a tool's pinned definition, by server and tool.
        requests: Requests that persons filed with agents.
        clock: Returns UTC nanoseconds.
    """

    def __init__(
        self,
        config: Config,
        defined: Defined = _undefined,
        requests: Requests | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock, self._defined = clock, defined
        self._requests = Requests() if requests is None else requests
        self._windows: OrderedDict[AgentId, Window] = OrderedDict()
        self._standards: Standards = {}
        self._use(config)

    def swap(self, config: Config) -> None:
        """Apply another configuration.

        Windows are cleared where tools, tables or the watched agents differ: older
        observations explain nothing then.
        """
        before = self._facts, self._tables, self._watched
        self._use(config)
        if before != (self._facts, self._tables, self._watched):
            self._windows.clear()

    def hold_to(self, standards: Standards) -> None:
        """Judge by these profiles from the next call on."""
        self._standards = standards

    def see(
        self,
        caller: Caller,
        call: Call,
        identity: str,
        decision: Decision,
        network: str = "",
        *,
        above: Mapping[AgentId, str] = NO_IDENTITIES,
    ) -> tuple[Decision, Seen | None]:
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
            above: Principal that the server would see, by agent above the caller.

        Returns:
            The combined decision, which never allows more than the policy alone, and
            the observed call; None where the agent is not watched.
        """
        learning = self._learning(caller)
        is_call = call.kind is Kind.REQUEST and call.target is Target.TOOL
        if learning is None or not is_call:
            return decision, None
        identity = _stable(identity)
        chain = tuple(
            self._chain(caller, call.server, {caller.agent: identity, **above})
        )
        try:
            judging = (learning, chain, envelope_of(caller, network))
            return self._see(caller, call, identity, decision, judging)
        except Exception:  # noqa: BLE001 - whatever went wrong, the answer is no
            return evaluation_failed(decision, _enforced(chain)), None

    def _see(
        self,
        caller: Caller,
        call: Call,
        identity: str,
        decision: Decision,
        judging: Judging,
    ) -> tuple[Decision, Seen]:
        learning, chain, envelope = judging
        arguments: Json = {}
        if call.arguments:
            if has_more_values(bytes(call.arguments), MOST_VALUES):
                raise ValueError("too many values to compare with a baseline")
            arguments = msgspec.json.decode(call.arguments)
        window, now, run = (
            self._window(caller.agent, learning),
            self._clock(),
            caller.run,
        )
        if not window.knows(run):
            window.begin(run, now)
        window.ask(run, self._requests.of(caller, now))
        tool = f"{call.server}/{call.name}"
        definition = self._defined(call.server, call.name)
        seen = window.observe(run, "", now, tool, arguments, definition)
        progress = window.progress(run, now)
        found = [(each, judge(each.held, seen, progress, envelope)) for each in chain]
        standard, judgement = max(found, key=_strictness, default=(None, ALLOWED))
        acted = _acted(seen, identity, judging, standard, judgement)
        watched = Seen(window, run, seen, arguments, acted)
        if isinstance(arguments, dict) and self._has_lookalike(tool, chain, arguments):
            return ambiguous_argument(decision, _enforced(chain)), watched
        return combine_decisions(decision, acted, judgement), watched

    def _has_lookalike(
        self, tool: str, chain: tuple[Standard, ...], arguments: dict[str, Json]
    ) -> bool:
        """Tell whether an argument name resembles one that a profile reads."""
        read = [self._names.get(tool, ())]
        read += [each.held.names.get(tool, ()) for each in chain]
        tree = key_tree(tuple(path for each in read for path in each))
        return bool(tree.find_lookalike(arguments))

    def _learning(self, caller: Caller) -> Learning | None:
        """Return the learning settings of the caller or the nearest agent above it."""
        for agent in (caller.agent, *reversed(caller.chain)):
            if agent in self._watched:
                return self._watched[agent]
        return None

    def heard(self, seen: Seen, id: str, data: bytes) -> None:
        """Record the result of a call.

        Args:
            seen: The call.
            id: Id of the decision on it.
            data: The complete message.
        """
        said = msgspec.json.decode(data)
        result = said.get("result")
        brought: Json = said.get("error")
        if isinstance(result, dict):
            brought = of_mcp(result)
        call = replace(seen.call, id=id)
        seen.came = seen.window.returned(seen.run, call, seen.arguments, brought)

    def unread(self, seen: Seen, id: str, size: int) -> None:
        """Record that a result passed that was too large to keep."""
        call = replace(seen.call, id=id)
        seen.came = seen.window.unread(seen.run, call, seen.arguments, size)

    def _use(self, config: Config) -> None:
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
        self._names = names_read(self._facts, self._tables)
        self._cold = {
            id: _cold(id, learning.cold) for id, learning in self._watched.items()
        }

    def _window(self, agent: AgentId, learning: Learning) -> Window:
        window = self._windows.get(agent)
        if window is None:
            span = learning.span * _SECOND
            window = self._windows[agent] = Window(self._facts, self._tables, span)
            if len(self._windows) > MOST:
                self._windows.popitem(last=False)
        self._windows.move_to_end(agent)
        return window

    def _chain(
        self, caller: Caller, server: str, identities: Mapping[AgentId, str]
    ) -> Iterator[Standard]:
        """Yield the profiles of an agent and of the agents above it."""
        for agent in (caller.agent, *caller.chain):
            identity = _stable(identities.get(agent, ""))
            found = self._standards.get(Subject(identity, agent, server))
            found = found or self._cold.get(agent)
            if found is not None:
                yield found


def standards(standing: Iterable[InForce]) -> Standards:
    """Index the valid profiles by subject."""
    return {
        each.subject: Standard(
            Held.of(decode(each.profile)), each.digest, each.stage is Stage.ENFORCE
        )
        for each in standing
    }


def _strictness(found: tuple[Standard, Judgement]) -> tuple[bool, int]:
    """Sort key of a judgement: enforced and restrictive ones come last."""
    standard, judgement = found
    strictness = STRICT[judgement.effect]
    return standard.enforced and strictness > 0, strictness


def _stable(identity: str) -> str:
    """Return the identity for a profile; a credential's id changes at each rotation."""
    return "" if identity.startswith("cred:") else identity


def _cold(agent: AgentId, how: Cold) -> Standard | None:
    if how is Cold.OFF:
        return None
    held = Held.of(cold(Subject("", agent, "")))
    return Standard(held, "", how is Cold.ENFORCE)


def _acted(
    seen: Observation,
    identity: str,
    judging: Judging,
    standard: Standard | None,
    judgement: Judgement,
) -> Acted:
    learning, _, envelope = judging
    acted = Acted(
        seen, identity, learning.span, effect=judgement.effect if standard else "",
        profile=standard.digest if standard else "",
        enforced=standard is not None and standard.enforced,
        findings=judgement.findings, amendment=judgement.amendment, envelope=envelope,
    )  # fmt: skip
    return redact_secrets(acted) if learning.values else drop_values(acted)


def _enforced(chain: tuple[Standard, ...]) -> tuple[str, ...]:
    """List the digests of the enforced profiles of a chain."""
    return tuple(each.digest for each in chain if each.enforced)
