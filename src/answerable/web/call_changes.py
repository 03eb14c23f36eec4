"""Calls that a signature makes possible or ends, drawn as chains from person to resource.

A call that was not made yet is declared by the statement; a recorded attempt lends
its person, agent and identity to the drawing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from answerable.baseline.deviation_explanations import describe_entity_pattern
from answerable.model.approval_request import ApprovalScope
from answerable.model.baseline import BaselineProfile, BaselineStage
from answerable.model.decision import TargetKind
from answerable.model.documents.trace import HopItem, HopsItem, TraceItem
from answerable.model.errors import UsageError
from answerable.model.policy_exception import PolicyException
from answerable.presentation.chain_groups import (
    COLUMNS,
    get_hops_by_name,
    group_by_chain,
)
from answerable.services.authorization import decision_records
from answerable.services.lineage.lineage_search import (
    is_chain_visible,
    join_events_with_chains,
)
from answerable.services.lineage.trace_rows import build_trace_item
from answerable.services.statements.signed_baselines import ActiveBaseline
from answerable.web.activity_scope import build_search_scope
from answerable.web.chain_links import build_chain_links
from answerable.web.store_cache import StoreCache
from answerable.web.svg.chain_diagram import ChainDiagram, draw_chains
from answerable.web.visitor import Visitor

_STATEMENT = "the statement"
_MAX_CALLS = 11  # of a baseline, besides the calls outside of it
_MAX_PATTERNS = 2
_BY_RULES = "as the rules decide"
_HELD = "denied, or waits for approval"


class CallEffect(StrEnum):
    """Effect of a signature on a call."""

    ADDED = "added"
    REMOVED = "removed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class CallChange:
    """A call, before and after a signature.

    Attributes:
        now: Whether the call is possible now, in words.
        after: Whether it is possible after the signature, in words.
        tool: Tool id.
        resource: The server, or the argument values.
        identity: Identity of the call; empty if the statement names none.
        decision: Id of a recorded decision on such a call; empty without one.
    """

    effect: CallEffect
    now: str
    after: str
    agent: str
    tool: str
    action: str
    resource: str
    identity: str = ""
    decision: str = ""


@dataclass(frozen=True, slots=True)
class ChangeDrawing:
    """The changed calls as chains.

    Attributes:
        rows: Each call with its chain, in order.
        summary: The number of added and removed calls, in words.
    """

    picture: ChainDiagram
    rows: Sequence[tuple[CallChange, TraceItem]]
    summary: str


def build_exception_change(
    scope: ApprovalScope | PolicyException,
    effect: CallEffect,
    now: str,
    after: str,
    decision: str = "",
) -> CallChange:
    """Build the change of the call that an exception covers."""
    tool = scope.name if scope.target is TargetKind.TOOL else "*"
    return CallChange(
        effect=effect,
        now=now,
        after=after,
        agent=scope.agent,
        tool=f"tool:mcp/{scope.server}/{tool}",
        action=f"{scope.target} {scope.name}".rstrip(),
        resource=f"server:mcp/{scope.server}",
        decision=decision,
    )


def list_baseline_changes(
    profile: BaselineProfile, active: ActiveBaseline | None, stage: BaselineStage
) -> tuple[CallChange, ...]:
    """List the effect of a baseline's stage on calls outside of it, and on its own calls.

    A baseline only restricts: the rules decide about each call that it covers.
    """
    subject = profile.subject
    before = active is not None and active.stage is BaselineStage.ENFORCE
    after = stage is BaselineStage.ENFORCE
    effect = CallEffect.UNCHANGED
    if before != after:
        effect = CallEffect.REMOVED if after else CallEffect.ADDED
    tool = f"tool:mcp/{subject.server}/*"
    server = f"server:mcp/{subject.server}"
    own = sorted(profile.capabilities, key=lambda each: -each.tally.count)
    example = next((each.tally.example for each in own if each.tally.example), "")
    names = list(
        dict.fromkeys(each.tool for each in own)
    )  # a tool may have definitions
    others = CallChange(
        effect=effect,
        now=_HELD if before else _BY_RULES,
        after=_HELD if after else _BY_RULES,
        agent=subject.agent,
        tool=tool,
        action="each other call",
        resource="outside the baseline",
        identity=subject.identity,
        decision=example,
    )
    covered = (
        CallChange(
            effect=CallEffect.UNCHANGED,
            now=_BY_RULES,
            after=_BY_RULES,
            agent=subject.agent,
            tool=tool,
            action=name.partition("/")[2],
            resource=_describe_learned_values(profile, name) or server,
            identity=subject.identity,
            decision=example,
        )
        for name in names[:_MAX_CALLS]
    )
    return (others, *covered)


def _describe_learned_values(profile: BaselineProfile, tool: str) -> str:
    """Describe the argument values that a profile has learned for a tool."""
    known = [
        f"{each.path} {describe_entity_pattern(each.pattern)}".lstrip()
        for each in profile.entities
        if each.tool == tool
    ]
    more = len(known) - _MAX_PATTERNS
    return ", ".join(known[:_MAX_PATTERNS]) + (f" and {more} more" * (more > 0))


def draw_call_changes(
    cache: StoreCache, visitor: Visitor, changes: Sequence[CallChange]
) -> ChangeDrawing | None:
    """Draw the calls that a signature changes; None if it changes none."""
    if not changes:
        return None
    recorded = _read_recorded_calls(
        cache, visitor, {e.decision for e in changes} - {""}
    )
    rows = [(each, _build_item(each, recorded.get(each.decision))) for each in changes]
    groups = group_by_chain([item for _, item in rows])
    links = build_chain_links(cache)
    return ChangeDrawing(
        draw_chains(groups, links, ["before and after the signature"] * len(groups)),
        rows,
        _summarise(changes),
    )


def _summarise(changes: Iterable[CallChange]) -> str:
    """Say in a sentence whether a signature adds or removes calls."""
    effects = {each.effect for each in changes}
    if CallEffect.ADDED in effects:
        return (
            "After the signature, the agent can do what is marked with +. "
            "It cannot do it now."
        )
    if CallEffect.REMOVED in effects:
        return "After the signature, the agent can no longer do what is struck out."
    return "The signature makes no call possible, and ends none."


def _read_recorded_calls(
    cache: StoreCache, visitor: Visitor, decisions: set[str]
) -> Mapping[str, TraceItem]:
    """Read the chains of recorded decisions; those that are not visible are left out."""
    if not decisions:
        return {}
    scope = build_search_scope(cache, visitor)
    waiting = decision_records.read_spool(cache.spools)
    found: dict[str, TraceItem] = {}
    with cache.open_store() as store:
        for each in decisions:
            try:
                event = decision_records.find_decision(store, waiting, each)[0].event
            except UsageError:
                continue
            row = next(join_events_with_chains([event], scope))
            if is_chain_visible(row.chain, scope.visible_agents):
                found[each] = build_trace_item(row)
    return found


def _build_item(change: CallChange, recorded: TraceItem | None) -> TraceItem:
    """Build the chain of a call: the recorded hops, and those that the statement names."""
    hops: dict[str, HopItem] = {
        "person": _missing("the token of each call names its person"),
        "agent": _declared(change.agent),
        "tool": _declared(change.tool),
        "identity": _declared(change.identity)
        if change.identity
        else _missing("a recorded call names its identity"),
        "action": _declared(change.action),
        "resource": _declared(change.resource),
    }
    agents, identities = [change.agent], [change.identity]
    if recorded is not None:
        known = get_hops_by_name(recorded)
        for name in COLUMNS[:4]:
            if name != "tool" and known[name]["value"]:
                hops[name] = known[name]
        agents = recorded["agent_path"] or agents
        identities = recorded["identity_path"] or identities
    return {
        "event_id": "",
        "event_time": "",
        "source": "",
        "outcome": change.effect.value,
        "written_by": "",
        "source_ip": "",
        "credential": "",
        "credential_path": [],
        "credential_from": None,
        "credential_to": None,
        "run": "",
        "decision_id": change.decision,
        "facts": {},
        "identity_owner": recorded["identity_owner"] if recorded else _missing(""),
        "hops": cast("HopsItem", hops),
        "agent_path": agents,
        "identity_path": identities,
    }


def _declared(value: str) -> HopItem:
    """Build a hop that the statement names."""
    return {"value": value, "status": "declared", "source": _STATEMENT}


def _missing(source: str) -> HopItem:
    """Build a hop that nothing names yet."""
    return {"value": "", "status": "missing", "source": source}
