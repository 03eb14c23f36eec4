"""Compare two inventories: agents, tools, credentials, identities, owners and pins."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from answerable.inventory.compared_things import (
    ComparedSide,
    ComparedThing,
    ComparedThings,
    list_changed_unread_files,
    list_compared_things,
)

# Fields of a tool that settings of its agent change, too.
_INHERITED_FIELDS = ("unattended", "rule")


class ChangeDirection(StrEnum):
    """Direction of a change between two inventories."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    NOT_COMPARABLE = "not-comparable"


@dataclass(frozen=True, slots=True)
class InventoryChange:
    """Difference between two inventories.

    Attributes:
        kind: `agent`, `tool`, `credential`, `identity`, `owner`, `pin` or `source`.
        subject: Id of the thing.
        field: Field that differs; empty for the whole thing.
        before: Value before; empty where there was none.
        after: Value afterwards.
        place: File and position, or API call, that says so.
        because: Reason why it cannot be compared.
        risky: Whether what was added may act without a person or holds a secret.
        agents: Agents with the same change of one tool.
    """

    change: ChangeDirection
    kind: str
    subject: str
    field: str = ""
    before: str = ""
    after: str = ""
    place: str = ""
    because: str = ""
    risky: bool = False
    agents: tuple[str, ...] = ()


def compare_inventories(
    before: ComparedSide, after: ComparedSide
) -> list[InventoryChange]:
    """List the differences of two inventories.

    A thing that only one side has counts as added or removed only if the other side
    read its source completely; otherwise it is `not-comparable`. The tools and the
    owner of an agent that only one side has are not listed again.
    """
    old, new = list_compared_things(before), list_compared_things(after)
    unread = list_changed_unread_files(before, after)
    first, second = _ReadSources(before, unread), _ReadSources(after, unread)
    changes = list(_compare_sources(before, after))
    uncompared: dict[str, Counter[str]] = defaultdict(Counter)
    for key in sorted({*old, *new}):
        was, will = old.get(key), new.get(key)
        if was is not None and will is not None:
            changes += _compare_fields(key, was, will)
        elif _is_part_of_whole(key, new if was is None else old, old, new):
            continue
        elif will is not None:
            if because := first.explain_thing(will, second):
                uncompared[because][key[0]] += 1
            else:
                changes.append(_describe_whole(key, ChangeDirection.ADDED, will))
        elif was is not None:
            if because := second.explain_thing(was, first):
                uncompared[because][key[0]] += 1
            else:
                changes.append(_describe_whole(key, ChangeDirection.REMOVED, was))
    return [*_count_uncompared(uncompared), *_group_by_agents(changes)]


def _count_uncompared(
    uncompared: Mapping[str, Counter[str]],
) -> Iterator[InventoryChange]:
    """Count the entries of one side only, by the reason they cannot be compared."""
    for because, counts in uncompared.items():
        for kind, number in sorted(counts.items()):
            yield InventoryChange(
                change=ChangeDirection.NOT_COMPARABLE,
                kind=kind,
                subject=f"{number:,} on one side only",
                because=because,
            )


def _is_part_of_whole(
    key: tuple[str, str, str],
    holder: ComparedThings,
    old: ComparedThings,
    new: ComparedThings,
) -> bool:
    """Return whether a thing belongs to another that only one side has."""
    kind, subject, agent = key
    if kind not in ("tool", "owner"):
        return False
    wholes = (("agent", agent or subject, ""), ("identity", subject, ""))
    return any(
        whole in holder and not (whole in old and whole in new) for whole in wholes
    )


def _group_by_agents(changes: list[InventoryChange]) -> list[InventoryChange]:
    """Join equal changes of one tool at several agents.

    A flag or a rule of a tool that follows from a changed setting of its agent is not
    listed again.
    """
    changed = {e.subject for e in changes if e.kind == "agent" and e.field}
    grouped: dict[InventoryChange, list[InventoryChange]] = defaultdict(list)
    for each in changes:
        inherited = each.field in _INHERITED_FIELDS and changed.issuperset(each.agents)
        if each.kind != "tool" or not inherited:
            grouped[replace(each, agents=(), risky=False)].append(each)
    return [
        replace(
            one,
            agents=tuple(name for each in same for name in each.agents),
            risky=any(each.risky for each in same),
        )
        for one, same in grouped.items()
    ]


def _compare_sources(
    before: ComparedSide, after: ComparedSide
) -> Iterator[InventoryChange]:
    """Yield the sources that one side lacks, and scheduled scans that failed."""
    sides = _ReadSources(before, ()), _ReadSources(after, ())
    for name in sorted({*sides[0].names, *sides[1].names}):
        reasons = [
            one.explain_source(name, other)
            for one, other in zip(sides, reversed(sides), strict=True)
        ]
        missing = [each for each in reasons if each]
        if missing:
            yield InventoryChange(
                change=ChangeDirection.NOT_COMPARABLE,
                kind="source",
                subject=name,
                before=reasons[0] or "read",
                after=reasons[1] or "read",
                because=missing[0],
            )
    for state in after.inventory.scheduled:
        if state.failures:
            yield InventoryChange(
                change=ChangeDirection.NOT_COMPARABLE,
                kind="source",
                subject=after.shorten(state.source),
                field="scheduled scan",
                after="failed",
                because="the last scheduled scan failed; its previous result is compared",
            )


class _ReadSources:
    """Sources that a side read, and what they cover.

    Attributes:
        names: Names of the sources.
        accounts: Accounts, clusters and organizations of each connector.
    """

    def __init__(self, side: ComparedSide, unread: Sequence[str]) -> None:
        coverage = {side.shorten(each.source): each for each in side.inventory.coverage}
        self.names = frozenset(coverage)
        self.accounts: dict[str, set[str]] = defaultdict(set)
        self._of_source: dict[str, set[str]] = defaultdict(set)
        for each in side.inventory.facts.identities:
            source = side.shorten(each.seen.source)
            if each.account and source in coverage:
                self.accounts[_name_connector(source)].add(each.account)
                self._of_source[source].add(each.account)
        self._count = Counter(map(_name_connector, coverage))
        self._partial = {
            name for name, each in coverage.items() if each.problems and not side.root
        }
        self._unread = tuple(unread)
        self._scope = side.scope
        self._empty = side.empty

    def has_counterpart(self, source: str, other: "_ReadSources") -> bool:
        """Return whether a source of the other side was read here under any name.

        One source of a connector on each side is taken as the same, unless both name
        their accounts.
        """
        if source in self.names:
            return True
        connector = _name_connector(source)
        accounts = other._of_source.get(source, set())
        if accounts:
            return accounts <= self.accounts[connector]
        return self._count[connector] == other._count[connector] == 1

    def explain_source(self, source: str, other: "_ReadSources") -> str:
        """Return why a source is not comparable here; empty if it is."""
        if not self.has_counterpart(source, other):
            return "not read"
        return "read in part" if source in self._partial else ""

    def explain_thing(self, thing: ComparedThing, other: "_ReadSources") -> str:
        """Return why the absence of a thing here says nothing; empty if it does."""
        source, account = thing.source, thing.account
        if not source:
            return ""
        if self._empty:
            return "the other folder has no files"
        if self._scope and self._scope != other._scope:
            return f"{self._scope} lists only the resources that it manages"
        if account and account not in self.accounts[_name_connector(source)]:
            if source not in self.names:
                return f"{account} was not read on the other side"
        elif not account and not self.has_counterpart(source, other):
            return f"{source} was not read on the other side"
        if self._partial:
            return "the other side could not be read completely"
        at = next((e for e in self._unread if thing.place.startswith(e)), "")
        return f"{at} could not be read" if at else ""


def _name_connector(source: str) -> str:
    """Return the connector of a source: the word before the colon."""
    return source.partition(":")[0]


def _describe_whole(
    key: tuple[str, str, str], change: ChangeDirection, thing: ComparedThing
) -> InventoryChange:
    """Describe a thing that only one side has."""
    kind, subject, agent = key
    added = change is ChangeDirection.ADDED
    return InventoryChange(
        change=change,
        kind=kind,
        subject=subject,
        before="" if added else thing.title,
        after=thing.title if added else "",
        place=thing.place,
        risky=thing.risky and added,
        agents=(agent,) if agent else (),
    )


def _compare_fields(
    key: tuple[str, str, str], was: ComparedThing, will: ComparedThing
) -> Iterator[InventoryChange]:
    """Yield the fields that differ."""
    kind, subject, agent = key
    for name in dict.fromkeys((*was.fields, *will.fields)):
        old, new = was.fields.get(name, ""), will.fields.get(name, "")
        if old != new:
            yield InventoryChange(
                change=ChangeDirection.CHANGED,
                kind=kind,
                subject=subject,
                field=name,
                before=old,
                after=new,
                place=will.place,
                agents=(agent,) if agent else (),
            )
