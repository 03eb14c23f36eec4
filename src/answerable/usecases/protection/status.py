"""Show how far the clients of a home are protected (command `protect status`)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from answerable.model.config import Config, DeclaredAgent, StdioCallerRule
from answerable.model.decision import EnforcementMode
from answerable.model.documents.protection import ProtectionStatusItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.ids import AgentId
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.services.baseline.profile_learning import WINDOW, read_recorded_calls
from answerable.services.protection.protection_plan import ProtectionPlan
from answerable.store.decision_queries import CalledTarget, list_called_targets
from answerable.store.store import EvidenceStore

READY_RUNS = 40  # runs after which a baseline can leave shadow mode
_RECENT = 7 * 86_400 * 10**9  # nanoseconds
_NO_HOOK = "no hook: "


@dataclass(frozen=True, slots=True)
class _ServerCalls:
    """Recorded calls to one server."""

    count: int = 0
    refused: int = 0
    last: int = 0


def build_protection_status(
    plan: ProtectionPlan, config: Config | None, store: EvidenceStore | None, now: int
) -> Document:
    """Build the status of each server of each client.

    Args:
        plan: Plan for the clients' present files; its servers are not mediated yet.
        config: The configuration; None where there is none.
        store: The store; None where there is none.
        now: UTC nanoseconds.
    """
    agents = config.agents if config is not None else ()
    status = _StatusReader(agents, store, now)
    items = [*_build_items(plan, config, status)]
    following = next((each["next"] for each in items if each["next"]), "")
    return Document("protect-status", items, build_empty_coverage(), next=following)


class _StatusReader:
    """Agents of the configuration, with their recorded calls and runs."""

    def __init__(
        self, agents: Sequence[DeclaredAgent], store: EvidenceStore | None, now: int
    ) -> None:
        self._now = now
        self._agents = {
            caller.server: agent
            for agent in agents
            for caller in agent.callers
            if isinstance(caller, StdioCallerRule)
        }
        found = list_called_targets(store, since=now - _RECENT) if store else []
        self._calls = _sum_by_server(found)
        self._runs = {
            agent.id: _count_runs(store, agent.id, now) if store else 0
            for agent in self._agents.values()
        }

    def build_item(
        self, client: str, server: str, state: str, gateway_server: str = ""
    ) -> ProtectionStatusItem:
        """Build the status of one server, without detail and next step."""
        agent = self._agents.get(gateway_server)
        called = _ServerCalls()
        if agent is not None:
            called = self._calls.get((agent.id, gateway_server), called)
        return {
            "client": client,
            "server": server,
            "state": state,
            "agent": agent.id if agent else None,
            "mode": agent.mode.value if agent else None,
            "gateway_server": gateway_server or None,
            "calls": called.count,
            "would_deny": called.refused,
            "last_call": format_time(called.last) if called.last else None,
            "runs": self._runs.get(agent.id, 0) if agent else 0,
            "detail": "",
            "next": "",
        }

    def suggest_next_step(self, gateway_server: str) -> str:
        """Suggest the next step towards enforcement; empty where it is reached."""
        agent = self._agents.get(gateway_server)
        if agent is None or agent.mode is EnforcementMode.ENFORCE:
            return ""
        return format_command("tighten", agent.name)


def _build_items(
    plan: ProtectionPlan, config: Config | None, status: _StatusReader
) -> Iterator[ProtectionStatusItem]:
    """Yield the rows: bypasses first, then mediated servers, hooks and refusals."""
    for each in plan.servers:
        item = status.build_item(each.client, each.entry, "bypass")
        item["detail"] = "the client reaches it directly"
        item["next"] = format_command("protect", each.client)
        yield item
    for each in plan.mediated:
        item = status.build_item(each.client, each.entry, "mediated", each.server)
        item["next"] = status.suggest_next_step(each.server)
        if item["agent"] is None:
            item["detail"] = f"no agent of the configuration may start {each.server}"
        yield item
    for server in config.servers if config is not None else ():
        if server.hook:
            item = status.build_item(server.hook, "its own tools", "hook", server.name)
            item["detail"] = "" if item["calls"] else "no call in 7 days"
            yield item
    for refusal in plan.refused:
        missing = refusal.reason.startswith(_NO_HOOK)
        state = "no-hook" if missing else "refused"
        item = status.build_item(refusal.client, refusal.server, state)
        item["detail"] = refusal.reason
        yield item


def _sum_by_server(
    targets: Sequence[CalledTarget],
) -> Mapping[tuple[str, str], _ServerCalls]:
    """Sum the calls by agent and server."""
    found: dict[tuple[str, str], _ServerCalls] = {}
    for each in targets:
        server = each.resource_prefix.removeprefix("tool:mcp/").removesuffix("/")
        known = found.get((each.agent, server), _ServerCalls())
        found[each.agent, server] = _ServerCalls(
            known.count + each.count,
            known.refused + each.refused,
            max(known.last, each.last),
        )
    return found


def _count_runs(store: EvidenceStore, agent: AgentId, now: int) -> int:
    """Count the recorded runs of an agent."""
    calls = read_recorded_calls(store, agent, since=now - WINDOW, until=now)
    return len({each.row.run for each in calls})
