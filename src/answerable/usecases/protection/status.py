"""Show how far the clients of a home are protected (command `protect status`)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from answerable.model.config import Config, DeclaredAgent, StdioCallerRule
from answerable.model.decision import EnforcementMode
from answerable.model.documents.protection import ProtectionStatusItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.log_sources import HOOK
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.services.lineage.held_keys import KeyUse
from answerable.services.protection.logged_keys import get_log_of_key
from answerable.services.protection.observed_calls import (
    READY_RUNS,
    RECENT,
    count_learned_runs,
    has_rule,
)
from answerable.services.protection.protection_plan import ProtectionPlan
from answerable.services.protection.server_starts import ServerStart
from answerable.store.decision_queries import CalledTarget, list_called_targets
from answerable.store.store import EvidenceStore

_NO_HOOK = "no hook: "
_KEY = ("--key", "KEY")
_CallKey = tuple[str, str, bool]  # agent, server, and whether a hook recorded it


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """Options of next steps that name the configuration; empty for that of the home.

    Attributes:
        config: For `tighten` and `loosen`.
        protect: For `protect`.
    """

    config: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()


HOME_PLACE = PlaceOptions()


@dataclass(frozen=True, slots=True)
class _ServerCalls:
    """Recorded calls to one server."""

    count: int = 0
    refused: int = 0
    last: int = 0


def build_protection_status(
    plan: ProtectionPlan,
    config: Config | None,
    store: EvidenceStore | None,
    now: int,
    key_uses: Sequence[KeyUse] = (),
    *,
    records_missing: bool = False,
    options: PlaceOptions = HOME_PLACE,
    unrecognised: Mapping[str, Sequence[str]] | None = None,
    starts: Mapping[str, ServerStart] | None = None,
) -> Document:
    """Build the status of each server of each client.

    Args:
        plan: Plan for the clients' present files; its servers are not mediated yet.
        config: The configuration; None where there is none.
        store: The store; None where there is none.
        now: UTC nanoseconds.
        key_uses: Logged uses of the keys that the gateway holds.
        records_missing: Records of wrappers could not be read into the store.
        options: Options of the next steps.
        unrecognised: Keys of servers that no log names.
        starts: Last starts of servers; None where they are not known.
    """
    agents = config.agents if config is not None else ()
    # What is not recorded here may have been recorded where nothing was read.
    known = store is not None and not records_missing
    status = _StatusReader(agents, store if known else None, now, key_uses)
    status.unrecognised, status.starts = unrecognised or {}, starts
    items = [*_build_items(plan, config, status, options)]
    following = next((each["next"] for each in items if each["next"]), "")
    coverage = build_empty_coverage()
    missing = set() if known else {"gateway"}
    missing |= {get_log_of_key(u.key.credential) for u in key_uses if not u.events}
    coverage["not_collected"] = sorted(missing)
    return Document("protect-status", items, coverage, next=following)


class _StatusReader:
    """Agents of the configuration, with their recorded calls and runs."""

    def __init__(
        self,
        agents: Sequence[DeclaredAgent],
        store: EvidenceStore | None,
        now: int,
        key_uses: Sequence[KeyUse],
    ) -> None:
        self._key_uses: dict[str, list[KeyUse]] = {}
        for use in key_uses:
            self._key_uses.setdefault(use.key.server, []).append(use)
        self.unrecognised: Mapping[str, Sequence[str]] = {}
        self.starts: Mapping[str, ServerStart] | None = None
        self._agents = {
            caller.server: agent
            for agent in agents
            for caller in agent.callers
            if isinstance(caller, StdioCallerRule)
        }
        self._calls: Mapping[_CallKey, _ServerCalls] | None = None
        self._runs: Mapping[str, int] = {}
        if store is not None:
            self._calls = _sum_by_server(list_called_targets(store, since=now - RECENT))
            self._runs = {
                agent.id: count_learned_runs(store, agent.id, now)
                for agent in self._agents.values()
            }

    def find_bypassing_key(self, gateway_server: str) -> KeyUse | None:
        """Return a key of a server that a log has without a call of the gateway."""
        uses = self._key_uses.get(gateway_server, ())
        return next((use for use in uses if use.unmediated), None)

    def build_item(
        self, client: str, server: str, state: str, gateway_server: str = ""
    ) -> ProtectionStatusItem:
        """Build the status of one server, without detail and next step."""
        agent = self._agents.get(gateway_server)
        start = (self.starts or {}).get(gateway_server)
        called: _ServerCalls | None = None
        if agent is not None and self._calls is not None:
            key = (agent.id, gateway_server, state == HOOK)
            called = self._calls.get(key, _ServerCalls())
        return {
            "client": client,
            "server": server,
            "state": state,
            "agent": agent.id if agent else None,
            "mode": agent.mode.value if agent else None,
            "gateway_server": gateway_server or None,
            "calls": called.count if called else None,
            "would_deny": called.refused if called else None,
            "last_call": format_time(called.last) if called and called.last else None,
            "runs": self._runs.get(agent.id) if agent else None,
            "key_uses_unmediated": _count_unmediated(
                self._key_uses.get(gateway_server, ())
            ),
            "keys_unrecognised": list(self.unrecognised.get(gateway_server, ())),
            "start": ("failed" if start.failure else "started") if start else None,
            "started_at": format_time(start.at) if start else None,
            "detail": "",
            "next": "",
        }

    def describe_start(self, item: ProtectionStatusItem) -> str:
        """Describe that a server did not start, or never did; empty otherwise."""
        if self.starts is None or item["gateway_server"] is None:
            return ""
        start = self.starts.get(item["gateway_server"])
        if start is None:
            return "" if item["calls"] else "no start recorded yet"
        if not start.failure:
            return ""
        return f"the last start failed at {item['started_at']}: {start.failure}"

    def describe_next_step(
        self, gateway_server: str, options: PlaceOptions
    ) -> tuple[str, str]:
        """Describe the state of a mediated server, and the next step to enforcement."""
        agent = self._agents.get(gateway_server)
        if agent is None:
            return f"no agent of the configuration may start {gateway_server}", ""
        if agent.mode is EnforcementMode.OBSERVE:
            runs = self._runs.get(agent.id)
            said = f"{runs} of {READY_RUNS} runs learned"
            if runs is None:
                said = "the number of learned runs is not known"
            elif runs >= READY_RUNS:
                said = f"{runs} runs learned: review and sign"
            return said, format_command("tighten", agent.name, *_KEY, *options.config)
        if not has_rule(agent, gateway_server):
            denied = "its calls are denied"
            if agent.mode is EnforcementMode.SHADOW:
                denied = "enforce denies its calls"
            said = f"not covered by the signed baseline: {denied}"
            return said, format_command("loosen", agent.name, *options.config)
        if agent.mode is EnforcementMode.SHADOW:
            return "", format_command("tighten", agent.name, *_KEY, *options.config)
        return "", ""


def _count_unmediated(uses: Sequence[KeyUse]) -> int | None:
    """Count the uses of keys without a gateway call; None where that is not known."""
    unmediated = sum(use.unmediated for use in uses)
    if not unmediated and (not uses or any(u.unknown or not u.events for u in uses)):
        return None
    return unmediated


def _build_items(
    plan: ProtectionPlan,
    config: Config | None,
    status: _StatusReader,
    options: PlaceOptions,
) -> Iterator[ProtectionStatusItem]:
    """Yield the rows: bypasses first, then mediated servers, hooks and refusals."""
    protected = {each.client for each in plan.mediated}
    for each in plan.servers:
        item = status.build_item(each.client, each.entry, "bypass")
        item["detail"] = "the client reaches it directly"
        if each.client in protected:
            item["detail"] += ": it was added after protect"
        item["next"] = format_command("protect", each.client, *options.protect)
        yield item
    for each in plan.mediated:
        item = status.build_item(each.client, each.entry, "mediated", each.server)
        step = status.describe_next_step(each.server, options)
        item["detail"] = "; ".join(filter(None, (status.describe_start(item), step[0])))
        item["next"] = step[1]
        use = status.find_bypassing_key(each.server)
        if use is not None:
            key = use.key.credential
            item["state"] = "bypass"
            item["detail"] = (
                f"a log contains {use.unmediated} uses of {key} without a call of the "
                f"gateway: rotate it"
            )
            item["next"] = format_command("trace", "--credential", key)
        yield item
    for server in config.servers if config is not None else ():
        if server.hook:
            item = status.build_item(server.hook, "its own tools", "hook", server.name)
            item["detail"] = "no call in 7 days" if item["calls"] == 0 else ""
            yield item
    for refusal in plan.refused:
        missing = refusal.reason.startswith(_NO_HOOK)
        state = "no-hook" if missing else "refused"
        item = status.build_item(refusal.client, refusal.server, state)
        item["detail"] = "; ".join(
            filter(None, (refusal.reason, refusal.describe_keys()))
        )
        yield item


def _sum_by_server(
    targets: Sequence[CalledTarget],
) -> Mapping[_CallKey, _ServerCalls]:
    """Sum the calls by agent, server and author: a hook's records are self-reported."""
    found: dict[_CallKey, _ServerCalls] = {}
    for each in targets:
        server = each.resource_prefix.removeprefix("tool:mcp/").removesuffix("/")
        key = (each.agent, server, each.source == HOOK)
        known = found.get(key, _ServerCalls())
        found[key] = _ServerCalls(
            known.count + each.count,
            known.refused + each.refused,
            max(known.last, each.last),
        )
    return found
