"""Decide from the catalogue which actions can act on which resource types.

An action granted on a resource of another type has no effect.
"""

from functools import lru_cache

from answerable.model.action_catalogue import ActionCatalogue, ActionEntry, ServiceEntry
from answerable.reach.aws.patterns.arn_matching import (
    ANY_ARN,
    ArnParts,
    matches_arn,
    overlaps_arn,
    split_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import (
    ANY_TEXT,
    encode_glob,
    matches_glob,
)

_ResourceTypes = tuple[
    tuple[str, ArnParts], ...
]  # resource types by name, with their ARNs


def can_action_act_on_resource(
    catalogue: ActionCatalogue, action: str, resource: str
) -> bool:
    """Return whether AWS lets an action name this type of resource at all.

    True for actions that the catalogue does not hold: unknown is not impossible. The
    resource `*` means a call that names none.
    """
    if resource == "*":
        return True
    kinds = _list_resource_types_of_action(catalogue, action)
    if kinds is None:
        return True
    if "*" in resource or "?" in resource:
        return _overlaps_resource_type(kinds, split_glob_arn(encode_glob(resource)))
    return _matches_resource_type(kinds, split_arn(resource))


def can_actions_act_on_resource_pattern(
    catalogue: ActionCatalogue, action: str, resource: ArnParts
) -> bool:
    """Return whether some action of a pattern can act on some resource of a pattern.

    Args:
        catalogue: The catalogue.
        action: Pattern in lower case and encoded form.
        resource: Pattern in parts.
    """
    if resource == ANY_ARN:
        return True
    kinds = _list_resource_types_of_action_pattern(catalogue, action)
    return kinds is None or _overlaps_resource_type(kinds, resource)


def does_action_take_named_resource(catalogue: ActionCatalogue, action: str) -> bool:
    """Return whether some action of a pattern takes a named resource.

    True where the catalogue does not hold it: unknown is not impossible.
    """
    service, _, name = action.partition(":")
    loaded = catalogue.services.get(service)
    entries = _list_service_actions(loaded, name) if loaded else []
    return not entries or not all(
        entry.takes_only_wildcard_resource for entry in entries
    )


def _list_service_actions(service: ServiceEntry, name: str) -> list[ActionEntry]:
    """List a service's actions that match a name pattern."""
    found = service.actions.get(name)
    if found:
        return [found]
    return [e for key, e in service.actions.items() if matches_glob(name, key)]


def _matches_resource_type(resource_types: _ResourceTypes, resource: ArnParts) -> bool:
    """Return whether a resource's ARN matches one of some resource types."""
    for kind, parts in resource_types:
        if matches_arn(parts, resource) and _is_plausible_resource_type(kind, resource):
            return True
    return False


def _overlaps_resource_type(resource_types: _ResourceTypes, resource: ArnParts) -> bool:
    """Return whether an ARN pattern overlaps one of some resource types."""
    return any(
        overlaps_arn(parts, resource) and _is_plausible_resource_type(kind, resource)
        for kind, parts in resource_types
    )


def _is_plausible_resource_type(kind: str, resource: ArnParts) -> bool:
    # A bucket's name has no slash, an object's ARN has one after the bucket.
    """Return whether an ARN can be of a type; a bucket's ARN has no slash."""
    return kind != "s3:bucket" or len(resource) != 6 or "/" not in resource[5]


@lru_cache(maxsize=1 << 14)
def _list_resource_types_of_action_pattern(
    catalogue: ActionCatalogue, action: str
) -> _ResourceTypes | None:
    """List the resource types of the actions of a pattern; None for any."""
    service, colon, name = action.partition(":")
    loaded = catalogue.services.get(service)
    entries = _list_service_actions(loaded, name) if colon and loaded else []
    if not entries:
        return None
    found = (_list_resource_types_of_action(catalogue, str(entry)) for entry in entries)
    return tuple(dict.fromkeys(kind for kinds in found for kind in kinds or ()))


@lru_cache(maxsize=1 << 15)
def _list_resource_types_of_action(
    catalogue: ActionCatalogue, action: str
) -> _ResourceTypes | None:
    """List the resource types of an action; None for an unknown action."""
    entry = catalogue.find_action(action)
    if entry is None:
        return None
    service = catalogue.services[entry.service]
    found = []
    for name in entry.resource_types:
        kind = service.resource_types.get(name)
        forms = split_resource_type_arns(kind.arn) if kind and kind.arn else (ANY_ARN,)
        found += [(f"{entry.service}:{name}", parts) for parts in forms]
    return tuple(found)


def list_arns_of_action(
    catalogue: ActionCatalogue, action: str
) -> tuple[ArnParts, ...]:
    """List the ARN patterns of an action's resource types; `*` for one not known."""
    kinds = _list_resource_types_of_action(catalogue, action)
    found = (ANY_ARN,) if kinds is None else (parts for _, parts in kinds)
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4096)
def split_resource_type_arns(arn: str) -> tuple[ArnParts, ...]:
    """Split the comma-separated ARN patterns of a resource type of the catalogue."""
    # The catalogue writes ${Account} where an ARN may hold any account, `aws` or none.
    return tuple(
        split_glob_arn(encode_glob(one.strip())) for one in arn.split(", ") if one
    )


def does_pattern_match_every_action(pattern: str) -> bool:
    """Return whether an encoded action pattern matches every action."""
    return pattern.strip(ANY_TEXT) in ("", ":") and ANY_TEXT in pattern
