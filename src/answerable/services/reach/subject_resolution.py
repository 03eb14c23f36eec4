"""Resolve the subject of a permission query by id or name."""

from answerable.inventory.name_resolution import EntityKind, resolve_entity_by_name
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.inventory import Inventory
from answerable.services.reach.platform_registry import PLATFORMS

_SUBJECT_KINDS: tuple[EntityKind, ...] = ("agent", "identity", "credential")


def resolve_subject(inventory: Inventory, text: str) -> str:
    """Resolve a subject by id, name or alias: a scanned one, or an external caller.

    Raises:
        UsageError: The name is unknown or ambiguous.
    """
    try:
        return resolve_entity_by_name(inventory, text, _SUBJECT_KINDS)
    except AmbiguousError:
        raise
    except UsageError:
        person = resolve_person(inventory, text)
        if person is not None:
            return person
        asked = text.strip()
        external = (each.find_external(inventory, asked) for each in PLATFORMS)
        found = next((each for each in external if each is not None), None)
        if found is None:
            raise
        return found


def resolve_person(inventory: Inventory, text: str) -> str | None:
    """Resolve a person if the text names nothing else; None if it names none.

    Raises:
        AmbiguousError: The name is ambiguous.
    """
    try:
        return resolve_entity_by_name(inventory, text, ("person",))
    except AmbiguousError:
        raise
    except UsageError:
        return None
