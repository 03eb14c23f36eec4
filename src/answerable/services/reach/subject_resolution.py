"""Resolution of the subject of a permission query."""

from answerable.inventory.resolve import Kind, resolve
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.inventory import Inventory
from answerable.reach.aws.compiled.external_callers import caller_of

_SUBJECTS: tuple[Kind, ...] = ("agent", "identity", "credential")


def subject_of(inventory: Inventory, text: str) -> str:
    """Resolve a subject: a scanned one, or an external caller.

    Raises:
        UsageError: The name is unknown or ambiguous.
    """
    try:
        return resolve(inventory, text, _SUBJECTS)
    except AmbiguousError:
        raise
    except UsageError:
        person = person_of(inventory, text)
        if person is not None:
            return person
        asked = text.strip()
        caller = caller_of(asked, {})
        if caller is None:
            raise
        accounts = inventory.once("accounts of identities", _accounts)
        # A role that an audit log or a configuration names may have been deleted.
        named = inventory.once("identities by name alone", _named)
        if caller.account in accounts and asked not in named:
            raise
        return asked


def person_of(inventory: Inventory, text: str) -> str | None:
    """Resolve a person if the text names nothing else; None if it names none.

    Raises:
        AmbiguousError: The name is ambiguous.
    """
    try:
        return resolve(inventory, text, ("person",))
    except AmbiguousError:
        raise
    except UsageError:
        return None


def _named(inventory: Inventory) -> frozenset[str]:
    """List the subjects that sources name, in scanned accounts or not."""
    agents, credentials = inventory.agents.values(), inventory.credentials.values()
    return frozenset(inventory.owners).union(
        (each.identity for each in credentials if each.identity),
        *(each.identities for each in agents),
    )


def _accounts(inventory: Inventory) -> frozenset[str]:
    """List the accounts whose identities were listed."""
    attached = {each.target for each in inventory.facts.attachments}
    listed = (
        each
        for each in inventory.facts.identities
        if each.unique_id or each.id in attached
    )
    return frozenset(each.account for each in listed)
