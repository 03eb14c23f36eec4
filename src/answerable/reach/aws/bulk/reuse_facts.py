"""Reuse the facts of an earlier scan where a later scan changed only policies.

Scans of an unchanged account differ in the times at which facts were seen and last
used; no answer about permissions depends on these.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from answerable.model.identity import Identity
from answerable.model.policy import Policy
from answerable.model.provenance import FactProvenance
from answerable.model.sighting import SightedFacts

# Facts that a graph is compiled from, besides policies.
_COMPILED_KINDS = (
    "identities",
    "accounts",
    "attachments",
    "resources",
    "public_access",
)
Fact = TypeVar("Fact")


def reuse_unchanged_facts(
    before: SightedFacts, after: SightedFacts
) -> SightedFacts | None:
    """Return the earlier facts with changed policies; None if more differs.

    Args:
        before: Facts of the earlier scan.
        after: Facts of the later one.

    Returns:
        None where more than the text of policies differs.
    """
    if not all(
        _are_facts_equal_without_timestamps(getattr(before, kind), getattr(after, kind))
        for kind in _COMPILED_KINDS
    ):
        return None
    if [one.id for one in before.policies] != [one.id for one in after.policies]:
        return None
    policies = tuple(
        old if _has_same_statements(old, new) else new
        for old, new in zip(before.policies, after.policies, strict=True)
    )
    return replace(before, policies=policies)


def _has_same_statements(old: Policy, new: Policy) -> bool:
    """Return whether two versions of a policy have equal statements."""
    return old is new or (old.statements, old.unread) == (new.statements, new.unread)


def _are_facts_equal_without_timestamps(
    old: Sequence[object], new: Sequence[object]
) -> bool:
    """Return whether two lists of facts are equal, timestamps aside."""
    return len(old) == len(new) and all(
        one is other or _remove_fact_timestamps(one) == _remove_fact_timestamps(other)
        for one, other in zip(old, new, strict=True)
    )


def _remove_fact_timestamps(fact: Fact) -> Fact:
    """Return a fact without its sighting and time of last use."""
    found = replace(fact, seen=_UNSEEN)  # type: ignore[type-var]  # a fact has `seen`
    return replace(found, last_used_at=0) if isinstance(found, Identity) else found


_UNSEEN: FactProvenance | None = None
