"""Resolve the subject of a permission query by id, ARN or name."""

from answerable.inventory.name_resolution import EntityKind, resolve_entity
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.inventory import Inventory
from answerable.reach.aws.compiled.external_callers import parse_caller

_SUBJECT_KINDS: tuple[EntityKind, ...] = ("agent", "identity", "credential")


def resolve_subject(inventory: Inventory, text: str) -> str:
    """Resolve a subject by id, ARN or name: a scanned one, or an external caller.

    Raises:
        UsageError: The name is unknown or ambiguous.
    """
    try:
        return resolve_entity(inventory, text, _SUBJECT_KINDS)
    except AmbiguousError:
        raise
    except UsageError:
        person = resolve_person(inventory, text)
        if person is not None:
            return person
        asked = text.strip()
        caller = parse_caller(asked, {})
        if caller is None:
            raise
        accounts = inventory.get_or_compute(
            "accounts of identities", _list_scanned_accounts
        )
        # A role that an audit log or a configuration names may have been deleted.
        named = inventory.get_or_compute(
            "identities by name alone", _list_named_subjects
        )
        if caller.account in accounts and asked not in named:
            raise
        return asked


def resolve_person(inventory: Inventory, text: str) -> str | None:
    """Resolve a person if the text names nothing else; None if it names none.

    Raises:
        AmbiguousError: The name is ambiguous.
    """
    try:
        return resolve_entity(inventory, text, ("person",))
    except AmbiguousError:
        raise
    except UsageError:
        return None


def _list_named_subjects(inventory: Inventory) -> frozenset[str]:
    """List the subjects that sources name, in scanned accounts or not."""
    agents, credentials = inventory.agents.values(), inventory.credentials.values()
    return frozenset(inventory.owners).union(
        (each.identity for each in credentials if each.identity),
        *(each.identities for each in agents),
    )


def _list_scanned_accounts(inventory: Inventory) -> frozenset[str]:
    """List the accounts whose identities were listed."""
    attached = {each.target for each in inventory.facts.attachments}
    listed = (
        each
        for each in inventory.facts.identities
        if each.unique_id or each.id in attached
    )
    return frozenset(each.account for each in listed)
