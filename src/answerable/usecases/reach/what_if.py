"""Effect of a policy edit on permissions, paths and agents (`what-if`)."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from answerable.model.documents.core import Document, ShownItem
from answerable.model.documents.what_if import WhatIfItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.policy import Layer
from answerable.model.sighting import Facts
from answerable.presentation.command_hints import command
from answerable.reach import answer_documents, subjects
from answerable.reach.acting_agents import agents_through
from answerable.reach.aws.bulk.closure import Whole, whole_of
from answerable.reach.aws.bulk.incremental_update import updated
from answerable.reach.aws.compiled.statements import Gap
from answerable.reach.aws.permission_rows.row_types import Filter, speller
from answerable.reach.aws.what_if.differences import Change, Comparison, Difference
from answerable.reach.aws.what_if.edit_scope import EditScope, scope_of
from answerable.reach.aws.what_if.external_differences import (
    caller_differences,
    changed_subjects,
    outsider_differences,
)
from answerable.reach.aws.what_if.subject_reach import Side
from answerable.reach.formula import TRUE, Verdict
from answerable.reach.queries import Extent, Reply, nobody
from answerable.reach.subjects import Start, Starts
from answerable.reach.unknown_subjects import UnknownSubject, rests_on_missing
from answerable.services.reach.call_parsing import wanted_of
from answerable.services.reach.compiled_graph import services_of
from answerable.services.reach.policy_edits import Edit, edited_facts, require_target
from answerable.services.reach.query_context import (
    Asked,
    actors_of_accounts,
    alone,
    asked_of,
    assuming_of,
    coverage_of,
    missing_of,
    require_paths,
)
from answerable.services.reach.request_context import Given
from answerable.services.reach.subject_resolution import subject_of
from answerable.services.reach.unknown_permissions import (
    looked,
    scan_command,
    unknown_items,
)

# Rows of at most this many changed identities are compared for one subject.
MOST_IDENTITIES = 64
_ORDER = tuple(Change)


@dataclass(slots=True)
class EditedGraph:
    """Permission graph before and after an edit.

    Attributes:
        scope: Scope of the edit.
    """

    asked: Asked
    after: Asked
    scope: EditScope


def edited_graph(asked: Asked, facts: Facts) -> EditedGraph:
    """Update a graph to edited facts.

    Args:
        asked: Context compiled from the collected facts.
        facts: Edited facts.
    """
    whole: Whole = updated(whole_of(asked.graph), asked.inventory.facts, facts)
    after = replace(asked, graph=whole.graph)
    return EditedGraph(asked, after, scope_of(asked.estate, after.estate))


@alone
def what_if(
    inventory: Inventory,
    subject: str,
    edit: Edit,
    *,
    now: int,
    action: str = "*",
    resource: str = "*",
    limit: int = 0,
) -> Document:
    """List the changes of an edit for a subject, or for all.

    Args:
        subject: Agent, identity or credential: id, ARN or unambiguous name; empty for
            every identity.
        now: UTC nanoseconds.
        action: Only permissions that could be an action matching this glob.
        resource: Only permissions that could touch a resource matching this glob.
        limit: Most items; 0 for all.

    Raises:
        UsageError: The subject is not known, or the edit is invalid.
    """
    if edit.is_empty:
        raise UsageError(
            "what-if needs an edit (got none)",
            "--without STATEMENT, --without-policy POLICY or --with FILE",
        )
    name = subject_of(inventory, subject) if subject else ""
    require_target(inventory, name, edit)
    facts = edited_facts(inventory.facts, edit, name, now)
    services = services_of(inventory)
    if edit.file:
        services |= subjects.services_of(facts)
    asked = asked_of(inventory, services, Given(), now, whole=True)
    require_paths(asked)
    edited = edited_graph(asked, facts)
    return compared(edited, name, action=action, resource=resource, limit=limit)


def compared(
    edited: EditedGraph, subject: str, *, action: str, resource: str, limit: int
) -> Document:
    """List the differences between two graphs; see `what_if`."""
    asked = edited.asked
    wanted = wanted_of(asked, action, resource)
    listing = _Listing(edited, wanted, limit or sys.maxsize)
    if subject:
        listing.add_subject(subject)
    else:
        listing.add_all()
    return listing.document(subject, action, resource)


@dataclass(slots=True)
class _Listing:
    """Differences of some subjects, as document items.

    Attributes:
        gaps: Unread policies and statements of the compared identities. The limits over
            them may change without an item.
    """

    edited: EditedGraph
    wanted: Filter
    limit: int
    pairs: list[tuple[Reply, WhatIfItem]] = field(default_factory=list)
    unknown: list[UnknownSubject] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    gaps: dict[Gap, None] = field(default_factory=dict)
    compared: int = 0
    of: int = 0
    left: int = 0

    def add_subject(self, subject: str) -> None:
        """Compare every identity of a subject."""
        before, after = self.edited.asked, self.edited.after
        inventory = before.inventory
        found = subjects.starts(before.graph, inventory, subject)
        now = subjects.starts(after.graph, inventory, subject)
        self.unknown += found.unknown
        self.missing |= set(found.not_collected)
        for identity in dict.fromkeys(
            start.identity for start in (*found.starts, *now.starts)
        ):
            was, will = _best(found, identity), _best(now, identity)
            start = was or will
            if start is not None:
                self._add(self._of_start(start, was, will), start)

    def _of_start(
        self, start: Start, was: Start | None, will: Start | None
    ) -> Iterator[Difference]:
        before, after = self.edited.asked.graph, self.edited.after.graph
        name = start.identity
        if name not in before.estate.principals:
            yield from caller_differences(before, after, name, self.wanted)
            return
        lost = will is None or _lost_entry(was, will)
        sides = (
            Side(before, name, absent=was is None),
            Side(after, name, absent=lost),
        )
        yield from self._differences(sides)

    def _differences(
        self, sides: tuple[Side, Side], *, own_rows: bool = False
    ) -> Iterator[Difference]:
        comparison = Comparison(
            *sides,
            self.edited.scope,
            self.wanted,
            MOST_IDENTITIES,
            own_rows=own_rows,
        )
        for side in sides:
            for node in side.nodes([side.start] if own_rows else None)[
                :MOST_IDENTITIES
            ]:
                gaps = side.graph.principal(node).gaps_at(Layer.IDENTITY)
                self.gaps |= dict.fromkeys(gaps)
        yield from comparison.differences()
        self.compared += comparison.compared
        self.of += comparison.of

    def add_all(self) -> None:
        """Compare every identity, and external callers."""
        before, after = self.edited.asked.graph, self.edited.after.graph
        scope = self.edited.scope
        self._add(outsider_differences(before, after, scope), None)
        for name in changed_subjects(before, after, scope):
            sides = Side(before, name), Side(after, name)
            found = self._differences(sides, own_rows=True)
            self._add(found, Start(name, name))

    def _add(self, found: Iterable[Difference], start: Start | None) -> None:
        room = max(0, self.limit - len(self.pairs))
        differences = iter(found)
        for each in islice(differences, room):
            reply = subjects.through(start, each.reply) if start else each.reply
            if start and start.unknown and rests_on_missing(reply.formula):
                continue
            self.pairs.append((reply, self._item(each, reply, start)))
        self.left += sum(1 for _ in differences)

    def _item(
        self, difference: Difference, reply: Reply, start: Start | None
    ) -> WhatIfItem:
        asked = self.edited.asked
        before, after = difference.before, difference.after
        open_entry = start is not None and any(
            hop.formula != TRUE for hop in start.hops
        )
        spelled = speller(asked.estate.catalogue, asked.estate.written, "*")
        row = answer_documents.reach_item(reply, spelled)
        if difference.identity is not None:
            row["resource"] = difference.identity
            row["action"] = reply.path[-1].via if reply.path else "runs as"
        change = difference.change
        at = self.edited.after if change in (Change.APPEARS, Change.STRONGER) else asked
        absent = missing_of(at, reply, row["action"].split(" ")[0], row["resource"])
        absent -= {"action-catalogue"}
        self.missing |= absent
        return {
            "change": change.value,
            "kind": "permission" if difference.identity is None else "identity",
            "subject": reply.subject,
            "action": row["action"],
            "resource": row["resource"],
            "before": _capped(before.verdict, open_entry),
            "after": _capped(after.verdict, open_entry),
            "covers_before": before.covers.value,
            "covers_after": after.covers.value,
            "admin": reply.admin,
            "agents": agents_through(asked.inventory, reply.subject),
            "determining": row["determining"],
            "path": row["path"],
            "assuming": assuming_of(at, reply, absent),
        }

    def _actors(self, subject: str) -> list[IdentityId]:
        """List the identities that an empty answer is about."""
        asked = self.edited.asked
        if subject:
            found = subjects.starts(asked.graph, asked.inventory, subject)
            return [start.identity for start in found.starts]
        return actors_of_accounts(asked)

    def document(self, subject: str, action: str, resource: str) -> Document:
        """Build the document, most severe items first, with its coverage."""
        asked = self.edited.asked
        pairs = sorted(self.pairs, key=lambda pair: _gravity(pair[1]))
        listed = [item for _, item in pairs]
        listed += [
            _unknown_item(asked.inventory, subject, action, resource, each)
            for each in self.unknown
        ]
        empty = replace(nobody(), gaps=tuple(self.gaps))
        nothing = [replace(empty, subject=n, actor=n) for n in self._actors(subject)]
        absent = set(self.missing)
        for each in nothing or [empty]:
            absent |= missing_of(asked, each, action, resource)
        absent -= {"action-catalogue"}
        coverage = coverage_of(asked, [*nothing, *(r for r, _ in pairs)], absent)
        if not subject:
            coverage["looked"] = looked(asked)
        if self.left or self.compared < self.of:
            done, of = (self.compared, self.of) if self.of else (0, 0)
            what = "changed identities"
            if self.left:
                done, of, what = len(pairs), len(pairs) + self.left, "changes"
            coverage["shown"] = ShownItem(rows=len(listed), what=what, done=done, of=of)
        following = scan_command(self.unknown)
        if not following and listed:
            following = command("reach", listed[0]["subject"])
        return Document("what-if", listed, coverage, next=following)


def _best(found: Starts, identity: IdentityId) -> Start | None:
    """Select how a subject comes to act as an identity, unconditional ways first."""
    some = [start for start in found.starts if start.identity == identity]
    sure = [s for s in some if all(hop.formula == TRUE for hop in s.hops)]
    return next(iter(sure or some), None)


def _lost_entry(was: Start | None, will: Start) -> bool:
    """Return whether the statement that admitted a workflow is removed."""
    if was is None or not was.hops:
        return False
    return bool(was.hops[0].determining) and not will.hops[0].determining


def _capped(found: Verdict, open_entry: bool) -> str:
    return Verdict.ONLY_IF if open_entry and found is Verdict.ALWAYS else found


def _gravity(item: WhatIfItem) -> tuple[object, ...]:
    return (
        _ORDER.index(Change(item["change"])),
        item["kind"],
        not item["admin"],
        not item["agents"],
        item["subject"],
        len(item["path"]),
        item["resource"],
        item["action"],
    )


def _unknown_item(
    inventory: Inventory,
    subject: str,
    action: str,
    resource: str,
    unknown: UnknownSubject,
) -> WhatIfItem:
    return {
        "change": Change.UNDECIDED.value,
        "kind": "permission",
        "subject": subject,
        "action": action,
        "resource": resource,
        "before": Verdict.NOT_KNOWN,
        "after": Verdict.NOT_KNOWN,
        "covers_before": Extent.PART.value,
        "covers_after": Extent.PART.value,
        "admin": False,
        "agents": agents_through(inventory, subject),
        "determining": [],
        "path": [],
        "assuming": [],
        "unknown": unknown_items(inventory, [unknown]),
    }
