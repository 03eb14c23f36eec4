"""Group audit event rows by their lineage chain for display in six columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from answerable.model.documents.trace import HopItem, TraceItem
from answerable.presentation.text import sanitize

COLUMNS = ("person", "agent", "tool", "identity", "action", "resource")
_PREFIXES = {"person": "person:", "agent": "agent:", "tool": "tool:mcp/"}
# Up to this many acts are shown one by one; more are grouped.
_FEW = 6
_ALIKE = 3


@dataclass(slots=True)
class ActGroup:
    """One action with one resource, or with several below a common prefix.

    Attributes:
        items: Rows, in document order.
        resource: The resource, or the common prefix.
        resources: Number of resources.
    """

    items: list[TraceItem]
    resource: str
    resources: int = 1

    @property
    def item(self) -> TraceItem:
        """Row that represents a group of equal acts."""
        return self.items[0]


@dataclass(slots=True)
class ChainGroup:
    """Events of one chain: the same four hops, and the acts.

    Attributes:
        item: Representative row.
        items: Rows, in document order.
        acts: Acts by action, resource and outcome.
    """

    item: TraceItem
    items: list[TraceItem] = field(default_factory=list)
    acts: dict[tuple[str, str, str], list[TraceItem]] = field(default_factory=dict)

    def merged_acts(self) -> list[ActGroup]:
        """Return the acts, with acts on many resources of a common prefix merged."""
        single = [ActGroup(items, key[1]) for key, items in self.acts.items()]
        if len(single) <= _FEW:
            return single
        near: dict[tuple[str, str, str], list[ActGroup]] = {}
        for act in single:
            hops = get_hops_by_name(act.item)
            key = (
                hops["action"]["value"],
                get_parent_resource(act.resource),
                act.item["outcome"],
            )
            near.setdefault(key, []).append(act)
        found: list[ActGroup] = []
        for (_, beginning, _), acts in near.items():
            if len(acts) < _ALIKE or not beginning:
                found += acts
                continue
            items = [item for act in acts for item in act.items]
            found.append(ActGroup(items, beginning, len(acts)))
        return found


def group_by_chain(items: Sequence[TraceItem]) -> list[ChainGroup]:
    """Group rows by chain, in order of first appearance.

    Missing hops with different reasons are different chains.
    """
    chains: dict[str, ChainGroup] = {}
    for item in items:
        hops = get_hops_by_name(item)
        paths = [item["agent_path"], item["identity_path"]]
        key = repr([*paths, *(_get_hop_key(hops[name]) for name in COLUMNS[:4])])
        chain = chains.setdefault(key, ChainGroup(item))
        chain.items.append(item)
        act = (hops["action"]["value"], hops["resource"]["value"], item["outcome"])
        chain.acts.setdefault(act, []).append(item)
    return list(chains.values())


def _get_hop_key(hop: HopItem) -> tuple[str, str, str]:
    """Return what tells a hop from others; the source of a known one can name a token."""
    return hop["value"], hop["status"], "" if hop["value"] else hop["source"]


def get_parent_resource(resource: str) -> str:
    """Return the prefix that a resource shares with its siblings."""
    bare = resource.rstrip("/:")
    head, slash, _ = bare.rpartition("/")
    if slash and not head.endswith("/"):
        return head + slash
    head, colon, _ = bare.rpartition(":")
    return head + colon


def get_hops_by_name(item: TraceItem) -> Mapping[str, HopItem]:
    """Return the six hops by name."""
    return cast("Mapping[str, HopItem]", item["hops"])


def is_hop_missing(hop: HopItem) -> bool:
    """Return whether a chain's hop is unknown: no source names it."""
    return hop["status"] == "missing" or not hop["value"]


def is_hop_self_reported(hop: HopItem) -> bool:
    """Return whether only a self-reported record names an action or resource."""
    return hop["status"] == "missing" and bool(hop["value"])


def shorten_hop_id(name: str, value: str) -> str:
    """Drop the prefix that a column implies, and the common part of an ARN."""
    value = value.removeprefix(_PREFIXES.get(name, ""))
    parts = value.split(":", 5)
    if name == "identity" and len(parts) == 6 and parts[0] == "arn":
        value = parts[5]
    return sanitize(value)


def shorten_hop_path(name: str, path: Sequence[str]) -> list[str]:
    """Shorten each id of a path to the part that its predecessor lacks."""
    before = ["", *path]
    return [
        shorten_hop_id(name, value.removeprefix(f"{origin}/") if origin else value)
        for origin, value in zip(before, path, strict=False)
    ]


def is_break_glass_call(item: Mapping[str, Any]) -> bool:
    """Return whether a break-glass exception allowed the call."""
    return bool(item["facts"].get("reason") == "break-glass")


@dataclass(slots=True)
class MissingHopNotes:
    """Numbered notes about the sources that would supply missing hops."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def get_note_number(self, name: str, hop: HopItem) -> int:
        """Return the number of the note for a missing hop."""
        return self.numbers.setdefault((name, hop["source"]), len(self.numbers) + 1)


def number_missing_hops(items: Iterable[Mapping[str, object]]) -> MissingHopNotes:
    """Number the notes about the missing hops of rows, in the order of rows."""
    notes = MissingHopNotes()
    for hops in (item["hops"] for item in items if "hops" in item):
        for name in COLUMNS:
            hop = cast("Mapping[str, HopItem]", hops)[name]
            if is_hop_missing(hop):
                notes.get_note_number(name, hop)
    return notes
