"""Lineage rows as chains: what every door shows of them, in the same six columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from answerable.flows.words.text import safe
from answerable.model.document_trace import HopItem, TraceItem

COLUMNS = ("person", "agent", "tool", "identity", "action", "resource")
_PREFIXES = {"person": "person:", "agent": "agent:", "tool": "tool:mcp/"}
# So few acts are shown one by one; of more, those alike are put together.
_FEW = 6
_ALIKE = 3


@dataclass(slots=True)
class Act:
    """What was done, one way, with one resource or with some that lie together.

    Attributes:
        items: Rows, in the order of the answer.
        resource: The one, or the beginning that all of them share.
        resources: How many there are.
    """

    items: list[TraceItem]
    resource: str
    resources: int = 1

    @property
    def item(self) -> TraceItem:
        """Give the row that speaks for all."""
        return self.items[0]


@dataclass(slots=True)
class Grouped:
    """Events of one chain: the same four hops, and what was done with them.

    Attributes:
        item: The row that speaks for all.
        items: Rows, in the order of the answer.
        acts: What was done, by action, resource and outcome.
    """

    item: TraceItem
    items: list[TraceItem] = field(default_factory=list)
    acts: dict[tuple[str, str, str], list[TraceItem]] = field(default_factory=dict)

    def together(self) -> list[Act]:
        """Give the acts; of many, those on resources that lie together are one."""
        single = [Act(items, key[1]) for key, items in self.acts.items()]
        if len(single) <= _FEW:
            return single
        near: dict[tuple[str, str, str], list[Act]] = {}
        for act in single:
            hops = hops_of(act.item)
            key = (hops["action"]["value"], parent(act.resource), act.item["outcome"])
            near.setdefault(key, []).append(act)
        found: list[Act] = []
        for (_, beginning, _), acts in near.items():
            if len(acts) < _ALIKE or not beginning:
                found += acts
                continue
            items = [item for act in acts for item in act.items]
            found.append(Act(items, beginning, len(acts)))
        return found


def grouped(items: Sequence[TraceItem]) -> list[Grouped]:
    """Put rows of one chain together, in the order in which chains come."""
    chains: dict[str, Grouped] = {}
    for item in items:
        hops = hops_of(item)
        paths = [item["agent_path"], item["identity_path"]]
        key = repr([*paths, *(hops[name] for name in COLUMNS[:4])])
        chain = chains.setdefault(key, Grouped(item))
        chain.items.append(item)
        act = (hops["action"]["value"], hops["resource"]["value"], item["outcome"])
        chain.acts.setdefault(act, []).append(item)
    return list(chains.values())


def parent(resource: str) -> str:
    """Give the beginning that a resource shares with those beside it."""
    bare = resource.rstrip("/:")
    head, slash, _ = bare.rpartition("/")
    if slash and not head.endswith("/"):
        return head + slash
    head, colon, _ = bare.rpartition(":")
    return head + colon


def hops_of(item: TraceItem) -> Mapping[str, HopItem]:
    """Give the six hops by name."""
    return cast("Mapping[str, HopItem]", item["hops"])


def is_missing(hop: HopItem) -> bool:
    """Tell whether nothing says what stands at a hop."""
    return hop["status"] == "missing" or not hop["value"]


def brief(name: str, value: str) -> str:
    """Leave out of an id what its column says already, and of an ARN what all share."""
    value = value.removeprefix(_PREFIXES.get(name, ""))
    parts = value.split(":", 5)
    if name == "identity" and len(parts) == 6 and parts[0] == "arn":
        value = parts[5]
    return safe(value)


def relative(name: str, path: Sequence[str]) -> list[str]:
    """Name each one of a path by what it adds to the id it came from."""
    before = ["", *path]
    return [
        brief(name, value.removeprefix(f"{origin}/") if origin else value)
        for origin, value in zip(before, path, strict=False)
    ]


def is_broken_glass(item: TraceItem) -> bool:
    """Tell whether two persons let that call pass."""
    return item["facts"].get("reason") == "break-glass"


@dataclass(slots=True)
class Gaps:
    """What would supply each missing hop, numbered as they come."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def number(self, name: str, hop: HopItem) -> int:
        """Give the number of the note on what is missing."""
        return self.numbers.setdefault((name, hop["source"]), len(self.numbers) + 1)
