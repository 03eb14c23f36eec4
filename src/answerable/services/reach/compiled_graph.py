"""Permission graph of a snapshot, read from derived tables or compiled and stored.

A restored graph reads only the identities and statements of a query. Edits and queries
about all identities need every statement, and compile the snapshot.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from answerable.model.action_catalogue import Catalogue
from answerable.model.ids import IdentityId
from answerable.model.inventory import STAGES, DerivedState, DerivedTables, Inventory
from answerable.model.sighting import Facts
from answerable.reach import subjects
from answerable.reach.aws.bulk import step_tables
from answerable.reach.aws.bulk.closure import whole_of
from answerable.reach.aws.bulk.partition import keys_used
from answerable.reach.aws.compiled import account_tables
from answerable.reach.aws.compiled.accounts import Estate, compile_estate
from answerable.reach.aws.compiled.principal_matching import SESSION_NAME
from answerable.reach.aws.condition_keys.self_tagging import speaking_of_tags
from answerable.reach.aws.evaluation.context_keys import lasting
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.unknown_subjects import UnknownSubject, unknown_identities
from answerable.services.gc_control import settled
from answerable.services.reach.request_context import Given

_STEPS, _ESTATE = "steps", "estate"


class UnknownIdentity(NamedTuple):
    """Identity without permission data, with its kind."""

    subject: UnknownSubject
    kind: str


class Summary(NamedTuple):
    """Summary of a whole snapshot that every query needs.

    Attributes:
        services: Services that policies name, `*` excluded.
        keys: Condition keys in lower case that a statement depends on.
        tagged: Numbers of statements that depend on a tag, one for each set of
            actions.
        collected: Number of collected identities.
        unknown: Identities without permission data.
    """

    services: frozenset[str]
    keys: frozenset[str]
    tagged: tuple[int, ...]
    collected: int
    unknown: tuple[UnknownIdentity, ...]


def graph_of(
    inventory: Inventory, catalogue: Catalogue, given: Given, *, whole: bool = False
) -> Graph:
    """Load the permission graph of a snapshot.

    Steps between identities are computed once and stored, also for the condition keys
    that a query states. They may depend on a stated policy.

    Args:
        catalogue: Services that the query needs.
        given: Stated context.
        whole: Compile every statement.
    """
    derived, tables = inventory.derived, tables_of(inventory)
    if tables is None or given.policies or whole:
        if derived is not None:
            derived.progress(1, STAGES, "compiling policies")
        graph = Graph(_compiled(inventory, catalogue, given))
        if tables is None and derived is not None and not given.policies:
            _keep(inventory, graph, derived)
    else:
        graph = Graph(account_tables.restore(tables, catalogue, given.context))
        clauses, tagged = graph.estate.clauses, summary_of(inventory, graph).tagged
        graph.tagged = tuple(clauses[number] for number in tagged)
    if derived is not None and not given.policies:
        name = _steps_under(inventory, graph, given)
        graph.restore = lambda asked: _restored(asked, derived, name)
        graph.keep = lambda found: _keep_steps(found, derived, name)
    return graph


def _compiled(inventory: Inventory, catalogue: Catalogue, given: Given) -> Estate:
    with settled():
        return compile_estate(
            inventory.facts,
            catalogue,
            given=given.context,
            tags_collected=tags_collected(inventory),
            session=given.session,
            endpoint=given.endpoint,
        )


def tags_collected(inventory: Inventory) -> bool:
    """Return whether every source that lists resources also read their tags."""
    told = [c.collected for c in inventory.coverage if c.connector == "aws-resources"]
    return bool(told) and all("resource-tags" in words for words in told)


def _restored(graph: Graph, derived: DerivedState, name: str) -> object:
    tables = derived.load(name)
    if tables is None:
        derived.progress(2, STAGES, "following paths of all identities")
        return None
    return step_tables.restore(graph, tables)


def _keep_steps(graph: Graph, derived: DerivedState, name: str) -> None:
    derived.progress(3, STAGES, "storing paths")
    derived.save(name, step_tables.tables_of(whole_of(graph)))


def tables_of(inventory: Inventory) -> DerivedTables | None:
    """Open the derived tables of a snapshot; None if there are none."""
    return inventory.once("estate tables", _opened)


def _opened(inventory: Inventory) -> DerivedTables | None:
    return None if inventory.derived is None else inventory.derived.load(_ESTATE)


def _keep(inventory: Inventory, graph: Graph, derived: DerivedState) -> None:
    """Store a compiled snapshot with its summary."""
    summary = summary_of(inventory, graph)
    derived.save(
        _ESTATE,
        {
            **account_tables.tables_of(graph.estate),
            "summary": [("", summary)],
            "attached": sorted(policies_at(inventory.facts).items()),
        },
    )


def attached_of(inventory: Inventory) -> Mapping[str, Sequence[str]]:
    """Load policy ids by layer and target, joined by a line break."""
    tables = tables_of(inventory)
    if tables is not None:
        return tables.section("attached", list[str])
    return policies_at(inventory.facts)


def policies_at(facts: Facts) -> Mapping[str, list[str]]:
    """Index policy ids by layer and target, joined by a line break."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in facts.attachments:
        found[f"{one.layer}\n{one.target}"].append(one.policy)
    return found


def summary_of(inventory: Inventory, graph: Graph) -> Summary:
    """Load the summary of a snapshot.

    Args:
        graph: Graph of the snapshot, read if no summary is stored.
    """

    def made(each: Inventory) -> Summary:
        tables = tables_of(each)
        if tables is not None:
            return tables.section("summary", Summary)[""]
        return _summed(each, graph)

    return inventory.once("summary of the estate", made)


def _summed(inventory: Inventory, graph: Graph) -> Summary:
    estate = graph.estate
    kinds = {each.id: each.kind for each in inventory.facts.identities}
    unknown = unknown_identities(estate, inventory)
    return Summary(
        services=subjects.services_of(inventory.facts),
        keys=frozenset(key for clause in estate.clauses for key in keys_used(clause)),
        tagged=tuple(clause.number for clause in speaking_of_tags(graph)),
        collected=sum(one.collected for one in estate.principals.values()),
        unknown=tuple(
            UnknownIdentity(each, kinds.get(IdentityId(each.id), each.source))
            for each in unknown
        ),
    )


def services_of(inventory: Inventory) -> frozenset[str]:
    """List the services that policies name, `*` excluded."""
    tables = tables_of(inventory)
    if tables is not None:
        return tables.section("summary", Summary)[""].services
    return inventory.once("services", lambda each: subjects.services_of(each.facts))


def _steps_under(inventory: Inventory, graph: Graph, given: Given) -> str:
    """Name the file of the steps under the condition keys of a query.

    Keys that no statement depends on change no step, nor do keys of a single call.
    """
    stated = lasting(given.context).values
    if not stated:
        return _STEPS
    keys = summary_of(inventory, graph).keys | {SESSION_NAME}
    spoken = sorted((key, list(stated[key])) for key in stated.keys() & keys)
    if not spoken:
        return _STEPS
    digest = hashlib.sha256(json.dumps(spoken).encode()).hexdigest()
    return f"{_STEPS}-{digest[:16]}"
