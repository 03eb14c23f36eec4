"""Whose home it is: the login of the folder, and what git says the person is called."""

from answerable.connectors.formats.ini import parse_ini
from answerable.connectors.formats.redaction import clean
from answerable.connectors.formats.sighting_frame import Frame
from answerable.model.ids import person_id
from answerable.model.person import Person
from answerable.model.written import WrittenBy


def git_person(text: str) -> tuple[str, str]:
    """Return `user.name` and `user.email` of a git configuration, empty if unset."""
    user = {
        setting.name: setting.value.strip('"')
        for setting in parse_ini(text)
        if setting.section == "user"
    }
    return user.get("name", ""), user.get("email", "")


def sight_person(
    login: str, name: str, aliases: tuple[str, ...], place: str, frame: Frame
) -> tuple[Person, ...]:
    """Make the sightings of the person.

    The login is the folder's own name, which nothing running in it can change; name
    and aliases come from files that an agent of the same person could have written,
    so they are a sighting of their own, self-reported.
    """
    person = person_id(login)
    folder = frame.seen(place, WrittenBy.PLATFORM)
    known = Person(person, "", (), team=False, alive=True, seen=folder)
    folded = tuple(dict.fromkeys(clean(alias).lower() for alias in aliases if alias))
    if not folded and not name:
        return (known,)
    shown = clean(name) if name else ""
    said = Person(person, shown, folded, team=False, alive=True, seen=frame.seen(place))
    return (known, said)
