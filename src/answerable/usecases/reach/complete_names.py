"""Suggest subjects, resources and actions while a permission query is typed."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from answerable.model.inventory import Inventory
from answerable.services.reach.platform_registry import PLATFORMS

MOST = 20
_NamedEntry = tuple[str, str, str]


def suggest_subjects(inventory: Inventory, prefix: str) -> list[tuple[str, str]]:
    """Suggest at most twenty subjects: id and description."""
    return _select_matching_entries(
        inventory.get_or_compute_value("proposed subjects", _list_subjects), prefix
    )


def suggest_resources(inventory: Inventory, prefix: str) -> list[tuple[str, str]]:
    """Suggest at most twenty collected resources."""
    return _select_matching_entries(
        inventory.get_or_compute_value("proposed resources", _list_resources), prefix
    )


def suggest_actions(prefix: str) -> list[tuple[str, str]]:
    """Suggest at most twenty actions of any platform."""
    found = (one for each in PLATFORMS for one in each.suggest_actions(prefix))
    return list(islice(found, MOST))


def _select_matching_entries(
    entries: Sequence[_NamedEntry], word: str
) -> list[tuple[str, str]]:
    """Select entries that begin with a word, then entries that contain it."""
    folded = word.strip().lower()
    begins: Iterable[_NamedEntry] = (
        one for one in entries if one[0].startswith(folded)
    )
    found = list(islice(begins, MOST))
    if len(found) < MOST:
        holds = (one for one in entries if folded in one[0][1:])
        found += islice((one for one in holds if one not in found), MOST - len(found))
    return [(key, says) for _, key, says in found]


def _list_subjects(inventory: Inventory) -> list[_NamedEntry]:
    """List agents, identities and credentials with a description, sorted."""

    def named() -> Iterator[tuple[str, str]]:
        for agent in inventory.agents.values():
            yield agent.agent.id, f"agent {agent.agent.name}"
        for identity in inventory.facts.iterate_identities():
            yield identity.id, f"{identity.kind} {identity.name}"
        for credential in inventory.credentials.values():
            if credential.identity is not None:
                yield credential.id, f"credential of {credential.identity}"

    return sorted((f"{key} {says}".lower(), key, says) for key, says in named())


def _list_resources(inventory: Inventory) -> list[_NamedEntry]:
    """List the collected resources with a description, sorted."""
    found = {str(one.id): one.kind for one in inventory.facts.resources}
    return sorted((key.lower(), key, kind) for key, kind in found.items())
