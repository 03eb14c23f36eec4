"""Load the permission graph of a snapshot from stored tables, or compile it.

A restored graph reads only the identities and statements of a query. Edits and queries
about all identities need every statement, and compile the snapshot.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.errors import EnvironmentFailure
from answerable.model.ids import IdentityId
from answerable.model.inventory import (
    DERIVATION_STAGES,
    DerivedState,
    DerivedTables,
    Inventory,
)
from answerable.model.policy import Policy, PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.action_validation import LoadCatalogue
from answerable.reach.aws.compiled import account_tables
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_matching import SESSION_NAME
from answerable.reach.aws.evaluation.context_keys import select_session_keys
from answerable.reach.aws.identity_resolution import list_uncollected_identities
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.stated_context import StatedContext
from answerable.reach.platform import UnknownIdentity

# Identities that may be compiled in memory, where nothing can be written.
MOST_IN_MEMORY = 100_000
_STEPS, _ESTATE = "steps", "estate"
_TABLES = "estate tables"  # cache key


class AwsHost(NamedTuple):
    """Functions of the process that evaluates AWS permissions.

    Attributes:
        load_catalogue: Loads services of the action catalogue; None loads them all.
        pause_collection: Pauses garbage collection while large data is built.
        read_policy: Reads the policy of an edit from a file, as one layer, at a time.
        shorten_policy_name: Returns the name of a policy as answers print it.
    """

    load_catalogue: LoadCatalogue
    pause_collection: Callable[[], AbstractContextManager[None]]
    read_policy: Callable[[str, PolicyLayer, int], Policy]
    shorten_policy_name: Callable[[str], str]


class SnapshotSummary(NamedTuple):
    """Summary of a whole snapshot that every query needs.

    Attributes:
        services: Services that policies name, `*` excluded.
        keys: Condition keys in lower case that a statement depends on.
        tagged: Numbers of statements that depend on a tag, one for each set of
            actions.
        tagged_policies: Roles and resources whose own policy depends on a tag.
        collected: Number of collected identities.
        unknown: Identities without permission data.
    """

    services: frozenset[str]
    keys: frozenset[str]
    tagged: tuple[int, ...]
    tagged_policies: frozenset[str]
    collected: int
    unknown: tuple[UnknownIdentity, ...]


def load_graph(
    host: AwsHost,
    inventory: Inventory,
    services: Iterable[str] | None,
    stated: StatedContext,
    *,
    compile_all: bool = False,
) -> IdentityGraph:
    """Load or compile the permission graph of a snapshot.

    Steps between identities are computed once and stored, also for the condition keys
    that a query states. They may depend on a stated policy.

    Args:
        services: Services whose actions the catalogue must know; None for all.
        stated: Stated context.
        compile_all: Compile every statement.
    """
    catalogue = host.load_catalogue(services)
    derived, tables = inventory.derived, open_snapshot_tables(inventory)
    if tables is None or stated.stated_policies or compile_all:
        if derived is not None:
            derived.progress(1, DERIVATION_STAGES, "compiling policies")
        graph = IdentityGraph(
            _compile_snapshot_graph(host, inventory, catalogue, stated)
        )
        if tables is None and derived is not None and not stated.stated_policies:
            _store_compiled_snapshot(inventory, graph, derived)
    else:
        graph = IdentityGraph(
            account_tables.restore_accounts_from_tables(
                tables, catalogue, stated.context
            )
        )
        clauses = graph.accounts.clauses
        summary = load_snapshot_summary(inventory, graph)
        graph.tagged = tuple(clauses[number] for number in summary.tagged)
        graph.tagged_policies = summary.tagged_policies
    if derived is not None and not stated.stated_policies:
        name = _get_steps_file_name(inventory, graph, stated)
        graph.restore = lambda asked: _load_stored_path_steps(asked, derived, name)
        graph.keep = lambda found: _store_path_steps(found, derived, name)
    return graph


def _compile_snapshot_graph(
    host: AwsHost,
    inventory: Inventory,
    catalogue: ActionCatalogue,
    stated: StatedContext,
) -> CompiledAccounts:
    """Compile all accounts and policies of a snapshot, garbage collector paused."""
    from answerable.reach.aws.compiled.account_compiler import compile_accounts

    with host.pause_collection():
        return compile_accounts(
            inventory.facts,
            catalogue,
            stated_keys=stated.context,
            tags_collected=are_tags_collected(inventory),
            session=stated.session,
            endpoint=stated.endpoint,
        )


def are_tags_collected(inventory: Inventory) -> bool:
    """Return whether every source that lists resources also read their tags."""
    told = [c.collected for c in inventory.coverage if c.connector == "aws-resources"]
    return bool(told) and all("resource-tags" in words for words in told)


def _load_stored_path_steps(
    graph: IdentityGraph, derived: DerivedState, name: str
) -> object:
    """Load the stored paths between identities; None if they must be computed."""
    from answerable.reach.aws.bulk import closure_tables

    tables = derived.load(name)
    if tables is None:
        derived.progress(2, DERIVATION_STAGES, "following paths of all identities")
        return None
    return closure_tables.restore_closure_from_tables(graph, tables)


def _store_path_steps(graph: IdentityGraph, derived: DerivedState, name: str) -> None:
    """Store the computed paths between identities."""
    from answerable.reach.aws.bulk import closure_tables
    from answerable.reach.aws.bulk.closure import get_graph_closure

    derived.progress(3, DERIVATION_STAGES, "storing paths")
    derived.save(name, closure_tables.encode_closure_tables(get_graph_closure(graph)))


def compile_large_snapshot(host: AwsHost, inventory: Inventory) -> None:
    """Compile a snapshot of several parts into tables, unless they are stored.

    A question then reads the rows that it needs.

    Raises:
        EnvironmentFailure: They cannot be stored, and the identities are too many to be
            compiled in memory.
    """
    derived = inventory.derived
    if (
        derived is None
        or open_snapshot_tables(inventory) is not None
        or inventory.facts.is_one_part()
    ):
        return
    from answerable.reach.aws.compiled.account_compiler import compile_accounts
    from answerable.reach.aws.compiled_parts import CompiledParts

    catalogue = host.load_catalogue(())
    derived.progress(1, DERIVATION_STAGES, "compiling policies")
    failure = EnvironmentFailure(
        "the compiled policies could not be written to derived/",
        "check the space and the permissions of the store, and run it again",
    )
    try:
        with derived.open_runs() as runs:
            parts = CompiledParts(runs)
            for facts in inventory.facts.iterate_parts():
                with host.pause_collection():
                    accounts = compile_accounts(
                        facts,
                        catalogue,
                        tags_collected=are_tags_collected(inventory),
                        numbers=parts.numbers,
                    )
                    parts.add(facts, accounts)
                del facts, accounts  # before the next part is read
            derived.save(_ESTATE, parts.merge())
    except EnvironmentFailure as error:
        failure = error
    is_stored = load_snapshot_tables(inventory) is not None
    if not is_stored and len(inventory.facts.identities_by_id()) > MOST_IN_MEMORY:
        raise failure


def open_snapshot_tables(inventory: Inventory) -> DerivedTables | None:
    """Open the derived tables of a snapshot; None if there were none before.

    Those of several parts are compiled before the first question.
    """
    if (
        inventory.get_value_if_computed(_TABLES) is None
        and load_snapshot_tables(inventory) is None
        and not inventory.facts.is_one_part()
    ):
        return None
    return inventory.get_or_compute_value(_TABLES, load_snapshot_tables)


def count_stored_principals(inventory: Inventory) -> int:
    """Count the compiled principals of a snapshot; 0 if they are not stored."""
    tables = open_snapshot_tables(inventory)
    return len(tables.section("principals", object)) if tables is not None else 0


def load_snapshot_tables(inventory: Inventory) -> DerivedTables | None:
    """Load the compiled tables of a snapshot; None if there are none."""
    return None if inventory.derived is None else inventory.derived.load(_ESTATE)


def _store_compiled_snapshot(
    inventory: Inventory, graph: IdentityGraph, derived: DerivedState
) -> None:
    """Cache a compiled snapshot and its summary on disk."""
    from answerable.reach.aws.compiled.account_table_encoding import (
        encode_account_tables,
    )

    summary = load_snapshot_summary(inventory, graph)
    derived.save(
        _ESTATE,
        {
            **encode_account_tables(graph.accounts),
            "summary": [("", summary)],
            "attached": sorted(index_policy_attachments(inventory.facts).items()),
        },
    )


def load_policy_attachments(inventory: Inventory) -> Mapping[str, Sequence[str]]:
    """Load the index of attached policy ids by layer and target."""
    tables = open_snapshot_tables(inventory)
    if tables is not None:
        return tables.section("attached", list[str])
    return index_policy_attachments(inventory.facts)


def index_policy_attachments(facts: SightedFacts) -> Mapping[str, list[str]]:
    """Index ids of attached policies by layer and target, joined by a line break."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in facts.attachments:
        found[f"{one.layer}\n{one.target}"].append(one.policy)
    return found


def load_snapshot_summary(
    inventory: Inventory, graph: IdentityGraph
) -> SnapshotSummary:
    """Load the summary of a compiled snapshot: services, keys, unknown identities.

    Args:
        graph: Graph of the snapshot, read if no summary is stored.
    """

    def made(each: Inventory) -> SnapshotSummary:
        tables = open_snapshot_tables(each)
        if tables is not None:
            return tables.section("summary", SnapshotSummary)[""]
        return _build_snapshot_summary(each, graph)

    return inventory.get_or_compute_value("summary of the estate", made)


def _build_snapshot_summary(
    inventory: Inventory, graph: IdentityGraph
) -> SnapshotSummary:
    """Collect services, condition keys and unknown identities of a snapshot."""
    from answerable.reach.aws.bulk.key_partition import list_condition_keys
    from answerable.reach.aws.condition_keys.self_tagging import (
        list_tag_dependent_policies,
        list_tag_dependent_statements,
    )

    estate = graph.accounts
    kinds = {each.id: each.kind for each in inventory.facts.identities}
    unknown = list_uncollected_identities(estate, inventory)
    return SnapshotSummary(
        services=collect_services_named_by_policies(inventory.facts),
        keys=frozenset(
            key for clause in estate.clauses for key in list_condition_keys(clause)
        ),
        tagged=tuple(clause.number for clause in list_tag_dependent_statements(graph)),
        tagged_policies=list_tag_dependent_policies(graph),
        collected=sum(one.collected for one in estate.principals.values()),
        unknown=tuple(
            UnknownIdentity(each, kinds.get(IdentityId(each.id), each.source))
            for each in unknown
        ),
    )


def list_services_named_by_policies(inventory: Inventory) -> frozenset[str]:
    """List the services that policies name, `*` excluded."""
    tables = open_snapshot_tables(inventory)
    if tables is not None:
        return tables.section("summary", SnapshotSummary)[""].services

    return inventory.get_or_compute_value(
        "services", lambda each: collect_services_named_by_policies(each.facts)
    )


def _get_steps_file_name(
    inventory: Inventory, graph: IdentityGraph, context: StatedContext
) -> str:
    """Return the file name of the paths under the condition keys of a query.

    Keys that no statement depends on change no step, nor do keys of a single call.
    """
    stated = select_session_keys(context.context).values
    if not stated:
        return _STEPS
    keys = load_snapshot_summary(inventory, graph).keys | {SESSION_NAME}
    spoken = sorted((key, list(stated[key])) for key in stated.keys() & keys)
    if not spoken:
        return _STEPS
    digest = hashlib.sha256(json.dumps(spoken).encode()).hexdigest()
    return f"{_STEPS}-{digest[:16]}"


def collect_services_named_by_policies(facts: SightedFacts) -> frozenset[str]:
    """Collect the AWS services that any policy names."""
    return frozenset(
        action.partition(":")[0].lower()
        for policy in facts.iterate_policies()
        for statement in policy.statements
        for action in statement.actions + statement.not_actions
    )
