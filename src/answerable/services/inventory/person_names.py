"""Resolve the name of a person as someone typed it, against an inventory."""

from answerable.inventory.person_directory import (
    PersonDirectory,
    is_machine_user,
    is_team_handle,
)
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId, build_person_id
from answerable.model.inventory import Inventory

PEOPLE_HINT = "list the people: answerable people"


def parse_owner(inventory: Inventory, text: str) -> PersonId:
    """Parse a person id; another form of a known person gives that person.

    Raises:
        UsageError: The text has a space in it, and is no known person's name.
    """
    named, people = build_person_id(text), PersonDirectory(inventory.facts.persons)
    if any(map(str.isspace, named)) and people.get_merged_person(named) is None:
        raise UsageError(
            f"not a person (got {text.strip()[:200]!r}, expected one address or handle)",
            "for example ana@corp.example or ana; list known people with: "
            "answerable people",
        )
    return people(named)


def require_known_person(inventory: Inventory, text: str) -> PersonId:
    """Return the id of a known person who is no team and no pipeline.

    Raises:
        UsageError: There is none.
    """
    person = parse_owner(inventory, text)
    known = inventory.persons.get(person)
    if known is None or known.team or is_team_handle(person) or is_machine_user(person):
        raise UsageError(f"no known person (got {text.strip()[:200]!r})", PEOPLE_HINT)
    return person
