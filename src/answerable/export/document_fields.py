"""Read fields of document items whose shape the type checker does not know."""

from collections.abc import Iterator, Mapping

Item = Mapping[str, object]


def get_list(item: Item, name: str) -> list[object]:
    """Return a list field; empty if there is none."""
    value = item.get(name)
    return value if isinstance(value, list) else []


def iterate_objects(item: Item, name: str) -> Iterator[Item]:
    """Yield the objects of a list field."""
    return (each for each in get_list(item, name) if isinstance(each, dict))


def get_owner(item: Item) -> str:
    """Return the person who owns an item; empty if none is known."""
    owner = item.get("owner")
    person = owner.get("person") if isinstance(owner, dict) else None
    return str(person) if person else ""
