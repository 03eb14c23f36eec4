"""Context of one permission query: the compiled snapshot and the data it lacks."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import wraps
from typing import ParamSpec, TypeVar

from answerable.connectors.iam_catalogue.fetch import load
from answerable.model.documents.core import Coverage, ReachItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.presentation import inventory_lists
from answerable.reach import queries
from answerable.reach.assumptions import assumptions
from answerable.reach.aws.bulk.closure import Whole
from answerable.reach.aws.bulk.incremental_update import updated_in_place
from answerable.reach.aws.bulk.reuse_facts import reused
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.condition_keys.self_tagging import speaking_of_tags
from answerable.reach.aws.coverage import actors, is_partial, not_collected
from answerable.reach.aws.evaluation.context_keys import NOTHING
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.collected_data import Collected
from answerable.reach.formula import FALSE, atom, both
from answerable.reach.queries import Reply
from answerable.services.gc_control import settled
from answerable.services.reach.compiled_graph import (
    graph_of,
    services_of,
    tags_collected,
)
from answerable.services.reach.request_context import Given
from answerable.services.reach.statement_quotes import STATEMENTS, statements_of

CATALOGUE = "answerable:action-catalogue"
NOBODY = IdentityId("")
# Steps between all identities take a gigabyte at ten thousand, and grow by the square.
# A process that keeps a snapshot for many queries then ignores paths.
MOST_FOLLOWED = 12_000
# A single command may use some gigabytes and minutes once.
MOST_AT_COMMAND = 30_000
_KEPT = "the compiled snapshot"
Told = ParamSpec("Told")
Answer = TypeVar("Answer")
Context = Mapping[str, tuple[str, ...]] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Compiled snapshot of one permission query, with the coverage of the snapshot.

    Attributes:
        collected: Data that the snapshot collected.
        given: Stated context.
        direct: Whether paths are ignored.
        now: UTC nanoseconds.
        cut: Whether paths are ignored although they were requested.
    """

    inventory: Inventory
    graph: Graph
    collected: Collected
    given: Given
    direct: bool
    now: int
    cut: bool = False

    @property
    def estate(self) -> Estate:
        """Compiled facts."""
        return self.graph.estate


def asked_of(
    inventory: Inventory,
    services: Iterable[str] | None,
    given: Given,
    now: int,
    *,
    direct: bool = False,
    whole: bool = False,
) -> Asked:
    """Compile a snapshot for one query.

    Args:
        services: Services whose actions the catalogue must know; None for all services
            that policies name.
        given: Stated context.
        now: UTC nanoseconds.
        direct: Whether paths are ignored.
        whole: Whether every statement is needed: for an edit, or for all identities.
    """
    collected = Collected(held for c in inventory.coverage for held in c.held)
    kept = inventory.made(_KEPT)
    if isinstance(kept, KeptGraph) and not given.policies:
        graph = kept.given(given)
        cut = not direct and len(graph.estate.principals) > MOST_FOLLOWED
        return Asked(inventory, graph, collected, given, direct or cut, now, cut)
    needed = services_of(inventory) if services is None else services
    graph = graph_of(inventory, load(needed), given, whole=whole)
    cut = not direct and len(graph.estate.principals) > MOST_AT_COMMAND
    return Asked(inventory, graph, collected, given, direct or cut, now, cut)


class KeptGraph:
    """Snapshot compiled once for all queries; one query runs at a time.

    Attributes:
        alone: Lock held during a query, as intermediate results are cached.
    """

    def __init__(self, inventory: Inventory, graph: Graph | None = None) -> None:
        self.alone = threading.RLock()
        self._graph = graph or graph_of(inventory, load(), Given(), whole=True)
        with settled():
            self._graph.estate.prepare()
            speaking_of_tags(self._graph)

    def over(self, before: Inventory, after: Inventory) -> "KeptGraph":
        """Update the graph to a later snapshot.

        Cached steps are kept, except those that an edit of policies affects; if other
        facts differ, the whole snapshot is compiled again.

        Args:
            before: The snapshot that this graph was compiled from.
        """
        with self.alone:
            whole = self._graph.all
            tags = tags_collected(before) == tags_collected(after)
            if isinstance(whole, Whole) and tags:
                facts = reused(before.facts, after.facts)
                now = facts and updated_in_place(whole, before.facts, facts)
                if now:
                    return KeptGraph(after, now.graph)
        return KeptGraph(after)

    def given(self, given: Given) -> Graph:
        """Return the graph of a query that states condition keys."""
        if given.context is NOTHING:
            return self._graph
        # Places stay known; steps may depend on the stated context.
        return self._graph.over(self._graph.estate.stating(given.context))


def keep_graph(inventory: Inventory, before: Inventory | None = None) -> None:
    """Compile a snapshot once for all queries about it.

    Args:
        before: The previous snapshot of the store. The compiled graph is reused if both
            have the same scans, as audit logs and ageing change no policy, and updated
            if only policies differ.
    """
    same = before if before is not None and before.name == inventory.name else None
    kept = same.made(_KEPT) if same else None
    if same and isinstance(kept, KeptGraph):
        written = statements_of(same)
        inventory.once(_KEPT, lambda _: kept)
        inventory.once(STATEMENTS, lambda _: written)
    elif before is not None and isinstance(last := before.made(_KEPT), KeptGraph):
        updated = last.over(before, inventory)
        inventory.once(_KEPT, lambda _: updated)
        statements_of(inventory)
    else:
        inventory.once(_KEPT, KeptGraph)
        statements_of(inventory)


@contextmanager
def one_at_a_time(inventory: Inventory) -> Iterator[None]:
    """Hold the lock of a snapshot whose queries share one graph."""
    kept = inventory.made(_KEPT)
    with kept.alone if isinstance(kept, KeptGraph) else nullcontext():
        yield


def alone(story: Callable[Told, Answer]) -> Callable[Told, Answer]:
    """Decorate a use case so that it holds the lock of its snapshot's shared graph."""

    @wraps(story)
    def told(*args: Told.args, **named: Told.kwargs) -> Answer:
        about = next(each for each in args if isinstance(each, Inventory))
        with one_at_a_time(about):
            return story(*args, **named)

    return told


def require_paths(asked: Asked) -> None:
    """Refuse a query that needs every path when paths are not followed.

    Raises:
        UsageError: The snapshot has too many identities.
    """
    if not asked.cut:
        return
    size = len(asked.estate.principals)
    if size > MOST_AT_COMMAND:
        raise UsageError(
            "too many identities to follow every path "
            f"(got {size:,}, expected at most {MOST_AT_COMMAND:,})",
            "scan fewer accounts into a store of their own: --store FOLDER",
        )
    raise UsageError(
        "too many identities to follow every path in a server "
        f"(got {size:,}, expected at most {MOST_FOLLOWED:,})",
        "ask on the command line, which follows them",
    )


def doubted(asked: Asked, reply: Reply, action: str) -> Reply:
    """Mark the verdict as open for an action that the catalogue does not know.

    It may be new or misspelled, and its resource types are not known.
    """
    if reply.formula == FALSE or asked.estate.catalogue.action(action):
        return reply
    unheld = atom(CATALOGUE, "Holds", (action,))
    parts = tuple(
        replace(part, formula=both(part.formula, unheld)) for part in reply.parts
    )
    return replace(reply, formula=both(reply.formula, unheld), parts=parts)


def missing(
    asked: Asked,
    pairs: Sequence[tuple[Reply, ReachItem]],
    action: str,
    resource: str,
    subjects: Iterable[IdentityId] = (NOBODY,),
) -> set[str]:
    """List uncollected data that could change an answer or extend an empty list.

    Args:
        pairs: Each answer with its item.
        action: Queried action or pattern.
        resource: Queried resource or pattern.
        subjects: Subjects of the list; empty for all identities.
    """
    found: set[str] = set()
    for reply, item in pairs:
        absent = missing_of(asked, reply, item["action"], item["resource"])
        item["assuming"] = assuming_of(asked, reply, absent)
        found |= absent
    # Uncollected data that could add a row.
    for subject in subjects:
        nothing = replace(queries.nobody(), subject=subject, actor=subject)
        found |= missing_of(asked, nothing, action, resource)
    return found


def missing_of(asked: Asked, reply: Reply, action: str, resource: str) -> set[str]:
    """List uncollected data that could change one answer."""
    found = set(
        not_collected(
            asked.estate,
            asked.collected,
            action,
            resource,
            reply,
            direct=asked.direct,
        )
    )
    if not set("*? ") & set(action) and not asked.estate.catalogue.action(action):
        found.add("action-catalogue")
    return found


def assuming_of(asked: Asked, reply: Reply, absent: set[str]) -> list[str]:
    """List the kinds of uncollected policy that could change one verdict."""
    words = set(absent)
    accounts = {actor.identity.account for actor in actors(asked.estate, reply)}
    words |= _needed(asked, accounts)
    if asked.cut:
        words.add("paths")
    return assumptions(words, (gap.policy for gap in reply.gaps))


def _needed(asked: Asked, accounts: Set[str]) -> set[str]:
    """List the data that any answer about some accounts requires."""
    return {
        asked.collected.lacking(word, account)
        for word in ("identity-policies", "role-trust")
        for account in accounts
    }


def actors_of_accounts(asked: Asked) -> list[IdentityId]:
    """Pick one collected identity per account to represent gaps of that account."""
    found = {
        each.identity.account: each.id
        for each in asked.estate.principals.values()
        if each.collected
    }
    return [name for _, name in sorted(found.items())]


def coverage_of(asked: Asked, replies: Iterable[Reply], absent: set[str]) -> Coverage:
    """Build the coverage of an answer.

    Args:
        absent: Uncollected data that could change the answers.
    """
    replies = list(replies)
    acting = (actor for reply in replies for actor in actors(asked.estate, reply))
    accounts = {actor.identity.account for actor in acting}
    needed = _needed(asked, accounts or {""})
    paths = {"paths"} if asked.cut else set()
    known = sorted((absent | needed | paths) - {""})
    coverage = inventory_lists.coverage(asked.inventory, asked.now, known)
    if is_partial(replies):
        coverage["partial"] = True
    return coverage
