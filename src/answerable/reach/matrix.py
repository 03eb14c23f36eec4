"""Which action can act on which resource type; the catalogue's words.

An action granted on a resource it cannot take reaches nothing.
"""

from functools import lru_cache

from answerable.model.catalogue import ActionEntry, Catalogue, ServiceEntry
from answerable.reach.globs import STAR, inward, matches
from answerable.reach.resources import (
    EVERYTHING,
    Parts,
    matches_parts,
    overlaps_parts,
    pattern_parts,
    text_parts,
)


def possible(catalogue: Catalogue, action: str, resource: str) -> bool:
    """Tell whether an action can act on a resource.

    True for actions the catalogue does not hold: not known is not impossible. The
    resource `*` stands for a call that names none.
    """
    if resource == "*":
        return True
    entry = catalogue.action(action)
    if entry is None:
        return True
    if "*" in resource or "?" in resource:
        return _may_take(catalogue, entry, pattern_parts(inward(resource)))
    return _takes(catalogue, entry, text_parts(resource))


def possible_pattern(catalogue: Catalogue, action: str, resource: Parts) -> bool:
    """Tell whether some action of a pattern can act on some resource of a pattern.

    Args:
        catalogue: The catalogue.
        action: Pattern in lower case and inner form.
        resource: Pattern in parts.
    """
    if resource == EVERYTHING:
        return True
    service, colon, name = action.partition(":")
    loaded = catalogue.services.get(service)
    if not colon or loaded is None:
        return True
    entries = _entries(loaded, name)
    return not entries or any(_may_take(catalogue, e, resource) for e in entries)


def _entries(service: ServiceEntry, name: str) -> list[ActionEntry]:
    found = service.actions.get(name)
    if found:
        return [found]
    return [e for key, e in service.actions.items() if matches(name, key)]


def _takes(catalogue: Catalogue, entry: ActionEntry, resource: Parts) -> bool:
    return any(
        matches_parts(parts, resource) and _fits(kind, resource)
        for kind, parts in _types(catalogue, entry)
    )


def _may_take(catalogue: Catalogue, entry: ActionEntry, resource: Parts) -> bool:
    return any(
        overlaps_parts(parts, resource) and _fits(kind, resource)
        for kind, parts in _types(catalogue, entry)
    )


def _fits(kind: str, resource: Parts) -> bool:
    # A bucket's name has no slash, an object's ARN has one after the bucket.
    return kind != "s3:bucket" or len(resource) != 6 or "/" not in resource[5]


def _types(catalogue: Catalogue, entry: ActionEntry) -> list[tuple[str, Parts]]:
    service = catalogue.services[entry.service]
    found = []
    for name in entry.resource_types:
        kind = service.resource_types.get(name)
        parts = _parts(kind.arn) if kind and kind.arn else EVERYTHING
        found.append((f"{entry.service}:{name}", parts))
    return found


@lru_cache(maxsize=4096)
def _parts(arn: str) -> Parts:
    # The catalogue writes ${Account} where an ARN may hold any account, `aws` or none.
    return pattern_parts(inward(arn))


def is_everything(pattern: str) -> bool:
    """Tell whether an action pattern in inner form takes every action."""
    return pattern.strip(STAR) in ("", ":") and STAR in pattern
