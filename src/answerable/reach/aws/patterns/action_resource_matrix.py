"""Matrix of actions and resource types, from the catalogue.

An action granted on a resource of another type has no effect.
"""

from functools import lru_cache

from answerable.model.action_catalogue import ActionEntry, Catalogue, ServiceEntry
from answerable.reach.aws.patterns.arns import (
    EVERYTHING,
    Parts,
    matches_parts,
    overlaps_parts,
    pattern_parts,
    text_parts,
)
from answerable.reach.aws.patterns.globs import STAR, inward, matches

_Kinds = tuple[tuple[str, Parts], ...]  # resource types by name, with their ARNs


def possible(catalogue: Catalogue, action: str, resource: str) -> bool:
    """Tell whether an action can act on a resource.

    True for actions that the catalogue does not hold: unknown is not impossible. The
    resource `*` means a call that names none.
    """
    if resource == "*":
        return True
    kinds = _kinds_of(catalogue, action)
    if kinds is None:
        return True
    if "*" in resource or "?" in resource:
        return _may_take(kinds, pattern_parts(inward(resource)))
    return _takes(kinds, text_parts(resource))


def possible_pattern(catalogue: Catalogue, action: str, resource: Parts) -> bool:
    """Tell whether some action of a pattern can act on some resource of a pattern.

    Args:
        catalogue: The catalogue.
        action: Pattern in lower case and inner form.
        resource: Pattern in parts.
    """
    if resource == EVERYTHING:
        return True
    kinds = _kinds_of_all(catalogue, action)
    return kinds is None or _may_take(kinds, resource)


def names_resources(catalogue: Catalogue, action: str) -> bool:
    """Tell whether some action of a pattern takes a named resource.

    True where the catalogue does not hold it: unknown is not impossible.
    """
    service, _, name = action.partition(":")
    loaded = catalogue.services.get(service)
    entries = _entries(loaded, name) if loaded else []
    return not entries or not all(entry.wildcard_only for entry in entries)


def _entries(service: ServiceEntry, name: str) -> list[ActionEntry]:
    found = service.actions.get(name)
    if found:
        return [found]
    return [e for key, e in service.actions.items() if matches(name, key)]


def _takes(kinds: _Kinds, resource: Parts) -> bool:
    for kind, parts in kinds:
        if matches_parts(parts, resource) and _fits(kind, resource):
            return True
    return False


def _may_take(kinds: _Kinds, resource: Parts) -> bool:
    return any(
        overlaps_parts(parts, resource) and _fits(kind, resource)
        for kind, parts in kinds
    )


def _fits(kind: str, resource: Parts) -> bool:
    # A bucket's name has no slash, an object's ARN has one after the bucket.
    return kind != "s3:bucket" or len(resource) != 6 or "/" not in resource[5]


@lru_cache(maxsize=1 << 14)
def _kinds_of_all(catalogue: Catalogue, action: str) -> _Kinds | None:
    """List the resource types of the actions of a pattern; None for any."""
    service, colon, name = action.partition(":")
    loaded = catalogue.services.get(service)
    entries = _entries(loaded, name) if colon and loaded else []
    if not entries:
        return None
    found = (_kinds_of(catalogue, str(entry)) for entry in entries)
    return tuple(dict.fromkeys(kind for kinds in found for kind in kinds or ()))


@lru_cache(maxsize=1 << 15)
def _kinds_of(catalogue: Catalogue, action: str) -> _Kinds | None:
    """List the resource types of an action; None for an unknown action."""
    entry = catalogue.action(action)
    if entry is None:
        return None
    service = catalogue.services[entry.service]
    found = []
    for name in entry.resource_types:
        kind = service.resource_types.get(name)
        forms = type_patterns(kind.arn) if kind and kind.arn else (EVERYTHING,)
        found += [(f"{entry.service}:{name}", parts) for parts in forms]
    return tuple(found)


def action_patterns(catalogue: Catalogue, action: str) -> tuple[Parts, ...]:
    """List the ARN patterns of an action's resource types; `*` for one not known."""
    kinds = _kinds_of(catalogue, action)
    found = (EVERYTHING,) if kinds is None else (parts for _, parts in kinds)
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4096)
def type_patterns(arn: str) -> tuple[Parts, ...]:
    """Split the comma-separated ARN patterns of a resource type of the catalogue."""
    # The catalogue writes ${Account} where an ARN may hold any account, `aws` or none.
    return tuple(pattern_parts(inward(one.strip())) for one in arn.split(", ") if one)


def is_everything(pattern: str) -> bool:
    """Tell whether an action pattern in inner form matches every action."""
    return pattern.strip(STAR) in ("", ":") and STAR in pattern
