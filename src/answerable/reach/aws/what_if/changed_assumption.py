"""Roles that a subject may assume before an edit or after it, but not alike."""

from collections.abc import Iterable

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import list_positions
from answerable.reach.aws.bulk.closure import GraphClosure
from answerable.reach.aws.bulk.equal_nodes import get_shared_nodes, have_same_nodes
from answerable.reach.aws.what_if.subject_reach import SubjectReach


def find_roles_with_changed_assumption(
    before: SubjectReach, after: SubjectReach
) -> frozenset[IdentityId] | None:
    """Find the roles whose level of `sts:AssumeRole` differs; None if not known.

    Rows of other roles are equal before and after. A role that one side alone has
    differs.
    """
    if not (before.are_assumptions_in_closure and after.are_assumptions_in_closure):
        return None
    old, new = before.whole, after.whole
    same = have_same_nodes(old, new)
    if same and not before.may_assume_other_roles(after):
        return frozenset()
    was, now = before.find_assumable_roles(), after.find_assumable_roles()
    if same:
        changed = (was.sure ^ now.sure) | (was.some ^ now.some)
        return _list_identities_of_nodes(old, list_positions(changed))
    shared = get_shared_nodes(old, new)
    mine, theirs = shared.before.restrict, shared.after.restrict
    changed = mine(was.sure) ^ theirs(now.sure)
    changed |= mine(was.some) ^ theirs(now.some)
    differ = shared.before.list_numbers(changed)
    removed = list_positions(was.some & shared.removed)
    added = list_positions(now.some & shared.added)
    return _list_identities_of_nodes(old, (*differ, *removed)).union(
        _list_identities_of_nodes(new, added)
    )


def _list_identities_of_nodes(
    closure: GraphClosure, numbers: Iterable[int]
) -> frozenset[IdentityId]:
    """List the identities of numbered nodes."""
    return frozenset(closure.get_node_by_number(each).identity for each in numbers)
