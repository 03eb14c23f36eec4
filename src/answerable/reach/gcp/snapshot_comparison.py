"""Compare the permissions of two sides: before and after an edit, or two snapshots."""

from collections.abc import Callable

from answerable.model.inventory import Inventory
from answerable.reach.gcp.binding_edit import remove_bindings_from_catalogues
from answerable.reach.gcp.estate_access import EstateAccess
from answerable.reach.gcp.evaluator import (
    PLATFORM,
    GcpEvaluator,
    build_access,
    list_all_identities,
)
from answerable.reach.gcp.role_catalogue import PredefinedRoles
from answerable.reach.platform import AppliedEdit, PolicyEdit
from answerable.reach.row_comparison import RowComparison


def apply_edit(
    inventory: Inventory,
    before: EstateAccess,
    edit: PolicyEdit,
    load_roles: Callable[[], PredefinedRoles],
) -> AppliedEdit:
    """Take bindings and deny rules away.

    Raises:
        UsageError: A binding or rule is unknown, or the edit is of another kind.
    """
    edited = remove_bindings_from_catalogues(inventory.facts.catalogues, edit, PLATFORM)
    return compare_estates(inventory, before, build_access(edited, load_roles))


def compare_estates(
    inventory: Inventory,
    before: EstateAccess,
    after: EstateAccess,
    *,
    own_rows: bool = False,
) -> AppliedEdit:
    """Compare the rows of all principals of two sides."""
    return RowComparison(
        inventory,
        GcpEvaluator(before),
        GcpEvaluator(after),
        lambda: list_all_identities((before, after)),
        has_superusers=own_rows,
        has_patterns=True,
        own_rows=own_rows,
    ).build_edit()
