"""Roles and identities that a subject reaches before an edit or after it, but not alike."""

from collections.abc import Iterable

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import VerdictBits, list_positions
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
    return _list_identities_of_changed_nodes(old, new, was, now)


def list_identities_with_changed_verdict(
    before: SubjectReach, after: SubjectReach
) -> list[IdentityId]:
    """List the identities that a subject can become before and after, but not alike."""
    old, new = before.whole, after.whole
    names = _list_identities_of_changed_nodes(old, new, before.reach, after.reach)
    # The closures do not hold a role session, which is the subject itself.
    names |= {before.start} if before.is_outside_closure else frozenset()
    names |= {after.start} if after.is_outside_closure else frozenset()
    return sorted(
        name
        for name in names
        if before.get_verdict_on_identity(name) != after.get_verdict_on_identity(name)
    )


def _list_identities_of_changed_nodes(
    old: GraphClosure, new: GraphClosure, was: VerdictBits, now: VerdictBits
) -> frozenset[IdentityId]:
    """List the identities of nodes whose bits differ; sessions are left out."""
    if have_same_nodes(old, new):
        changed = (was.sure ^ now.sure) | (was.some ^ now.some)
        held = changed & (1 << old.size) - 1
        return _list_identities_of_nodes(old, list_positions(held))
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
