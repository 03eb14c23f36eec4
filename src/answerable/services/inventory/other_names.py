"""Other names under which scans know a person."""

from collections.abc import Collection
from contextlib import suppress

from answerable.model.errors import AnswerableError
from answerable.services.inventory.snapshots import load_inventory
from answerable.store.store import EvidenceStore

_PREFIX = "person:"
_MAX_NAMES = 10


def describe_other_names(store: EvidenceStore, names: Collection[str]) -> str:
    """Name the other handles and addresses of a person; empty if none is known.

    Args:
        store: The store.
        names: Names of the person, with or without `person:`.
    """
    given = {each.removeprefix(_PREFIX).strip().casefold() for each in names}
    others: set[str] = set()
    with suppress(AnswerableError):  # a damaged scan names nobody
        for person in load_inventory(store).persons.values():
            own = {person.id.removeprefix(_PREFIX), *person.aliases}
            known = {each.casefold() for each in own}
            if not person.team and known & given:
                others |= known - given
    if not others:
        return ""
    said = ", ".join(sorted(others)[:_MAX_NAMES])
    rest = len(others) - _MAX_NAMES
    return f"scans know this person also as {said}" + (
        f" and {rest} other names" if rest > 0 else ""
    )
