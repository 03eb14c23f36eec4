"""State that two ids belong to one person, end such a statement, and list them.

A merge changes how people are listed. Owners, keys, permissions and the persons of
events stay those of each id.
"""

from dataclasses import replace

from answerable.evidence.person_merges import build_merge_content
from answerable.inventory.person_directory import (
    PEOPLE_HINT,
    require_known_person,
)
from answerable.model.documents.person_merges import PersonMergeItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.model.person import PersonMerge
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.presentation.person_merge_items import build_merge_item
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import StatementSigner
from answerable.services.statements.person_merges import (
    PersonMergeReader,
    put_unsigned_merge,
    read_person_merges,
)
from answerable.store.store import EvidenceStore


def resolve_merge(
    store: EvidenceStore, inventory: Inventory, draft: PersonMerge, *, now: int
) -> PersonMerge:
    """Resolve the ids of a merge, and check that it changes something.

    Raises:
        UsageError: An id names no known person, both are one already, or the merge to end
            is not in force.
    """
    person = require_known_person(inventory, draft.person)
    other = require_known_person(inventory, draft.other)
    if person == other:
        raise UsageError(f"both names belong to {person} already", PEOPLE_HINT)
    resolved = replace(draft, person=person, other=other)
    in_force = {each.pair: each for each in read_person_merges(store, now)}
    if not draft.merged and resolved.pair not in in_force:
        raise UsageError(f"no merge of {person} and {other} is in force", PEOPLE_HINT)
    return resolved


def sign_merge(
    store: EvidenceStore,
    inventory: Inventory,
    draft: PersonMerge,
    signer: StatementSigner,
    *,
    now: int,
) -> PersonMerge:
    """Sign and record a merge, or the end of one.

    Raises:
        UsageError: As `resolve_merge`.
        VerificationError: The key is not valid now. Nothing is recorded.
    """
    merge = resolve_merge(store, inventory, draft, now=now)
    key = owner_keys.require_enrolled_key(store, signer.id)
    PersonMergeReader.sign(store, build_merge_content(merge, key.person), signer, now)
    return merge


def record_merge(
    store: EvidenceStore, inventory: Inventory, draft: PersonMerge, *, now: int
) -> PersonMerge:
    """Record a merge, or the end of one, without a signature: self-reported.

    Raises:
        UsageError: As `resolve_merge`, or the merge to end is signed.
    """
    merge = resolve_merge(store, inventory, draft, now=now)
    signed = {
        each.pair: each for each in PersonMergeReader.open(store).read(now).active
    }
    known = signed.get(merge.pair)
    if known is not None and known.merged:
        what = "the merge is recorded" if draft.merged else "only a signature ends it"
        raise UsageError(
            f"{known.by} signed that these names are one person: {what}",
            "use an owner key on the page of the person",
        )
    put_unsigned_merge(store, merge)
    return merge


def list_merges(inventory: Inventory) -> Document:
    """List the merges in force."""
    items: list[PersonMergeItem] = [build_merge_item(e) for e in inventory.merges]
    return Document("person-merges", items, build_empty_coverage())
