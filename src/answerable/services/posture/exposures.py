"""Exposures of all AWS identities of a snapshot, kept for later commands.

Of a snapshot whose paths are not followed at once, batches of accounts are graded one
after the other, and their rows are stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from answerable.model.documents.shared_shapes import PathItem
from answerable.model.inventory import DerivedTables, Inventory
from answerable.reach.aws import batched_exposure, query_context
from answerable.reach.aws.answer_items import build_path_item
from answerable.reach.aws.batched_exposure import BatchedExposure, ExposureRow
from answerable.reach.aws.compiled.account_tables import restore_accounts_from_tables
from answerable.reach.aws.compiled_graph import load_snapshot_tables
from answerable.reach.aws.identity_exposure import AccountExposure
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.query_context import QueryContext
from answerable.reach.condition_formula import Verdict
from answerable.services.python_gc_pause import collect_recent_objects
from answerable.services.reach.compiled_snapshots import let_waiting_queries_run

_EXPOSURES = "exposures"  # derived file


@dataclass(frozen=True, slots=True)
class Exposures:
    """Exposures of the AWS identities of a snapshot.

    Attributes:
        rows: By id; the path is empty if it has to be found.
        find_path: Returns the steps from an identity to an administrator.
    """

    rows: Mapping[str, ExposureRow]
    find_path: Callable[[str], tuple[PathItem, ...]]


def load_exposures(inventory: Inventory, query: QueryContext) -> Exposures:
    """Load or compute the exposure of each AWS identity.

    Args:
        query: All accounts of the snapshot.
    """
    if not query.direct:
        return _read_graph_exposures(AccountExposure(query.graph))
    stored = _load_rows(inventory)
    if stored is None:
        batches = BatchedExposure(
            partial(_load_graph, load_snapshot_tables(inventory), query),
            query_context.get_most_followed(inventory),
            batched_exposure.BATCH_IDENTITIES,
            between_batches=partial(_finish_batch, inventory),
        )
        batches.grade_all()
        if inventory.derived is not None and batches.is_complete:
            inventory.derived.save(_EXPOSURES, {_EXPOSURES: batches.iterate_rows()})
            stored = _load_rows(inventory)
        if stored is None:
            stored = dict(batches.iterate_rows())
    return Exposures(stored, partial(_get_stored_path, stored))


def _finish_batch(inventory: Inventory) -> None:
    """Free the memory of a batch, and let other queries run."""
    collect_recent_objects()
    let_waiting_queries_run(inventory)


def _load_rows(inventory: Inventory) -> Mapping[str, ExposureRow] | None:
    """Load the stored exposures; None if there are none."""
    tables = None if inventory.derived is None else inventory.derived.load(_EXPOSURES)
    return None if tables is None else tables.section(_EXPOSURES, ExposureRow)


def _get_stored_path(
    rows: Mapping[str, ExposureRow], identity: str
) -> tuple[PathItem, ...]:
    """Return the stored steps from an identity to an administrator."""
    found = rows.get(identity)
    return () if found is None else found.path


def _load_graph(tables: DerivedTables | None, query: QueryContext) -> IdentityGraph:
    """Load the graph of all accounts without any rows; the query's, if none is stored."""
    graph = query.graph
    if tables is None:
        return graph
    accounts = graph.accounts
    restored = restore_accounts_from_tables(tables, accounts.catalogue, accounts.given)
    return IdentityGraph(
        restored, tagged=graph.tagged, tagged_policies=graph.tagged_policies
    )


def _read_graph_exposures(exposure: AccountExposure) -> Exposures:
    """Read the exposures of a graph whose paths are followed at once."""
    found = {str(each.identity): each for each in exposure.list_identity_exposures()}
    rows = {
        key: ExposureRow(
            each.admin,
            Verdict.ALWAYS not in (each.public, each.external),
            each.entered_by,
        )
        for key, each in found.items()
    }

    def find_path(identity: str) -> tuple[PathItem, ...]:
        each = found.get(identity)
        if each is None or each.admin is Verdict.NEVER:
            return ()
        return tuple(map(build_path_item, exposure.find_exposure_path(each)))

    return Exposures(rows, find_path)
