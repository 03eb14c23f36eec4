"""Facts and catalogue as the readable rules look at them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from answerable.model.catalogue import Catalogue
from answerable.model.identity import Identity
from answerable.model.policy import Layer, Statement
from answerable.model.sighting import Facts
from answerable.reach.spec_conditions import glob


@dataclass(frozen=True)
class Who:
    """A principal, with statements it gained on a path."""

    identity: Identity
    extra: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class World:
    """The facts, the catalogue, and the keys that the question states."""

    facts: Facts
    catalogue: Catalogue
    given: dict[str, tuple[str, ...]] = field(default_factory=dict)


def possible(catalogue: Catalogue, action: str, resource: str) -> bool:
    """Tell whether the action can act on such a resource."""
    entry = catalogue.action(action)
    if entry is None or resource == "*":
        return True
    parts = resource.split(":", 5)
    if len(parts) != 6:
        return False
    for name in entry.resource_types:
        if (entry.service, name) == ("s3", "bucket") and "/" in parts[5]:
            continue
        pattern = catalogue.services[entry.service].resource_types[name].arn
        if all(map(glob, pattern.split(":", 5), parts)):
            return True
    return False


def statements(world: World, who: Identity, layer: Layer) -> Iterator[Statement]:
    """Every statement that stands at a layer of an identity."""
    policies = {policy.id: policy for policy in world.facts.policies}
    for attachment in world.facts.attachments:
        if attachment.target == who.id and attachment.layer is layer:
            policy = policies.get(attachment.policy)
            yield from policy.statements if policy else ()


def unread(world: World, who: Identity, layer: Layer) -> list[tuple[str, str]]:
    """Name what could not be read at a layer: pairs (key, name) of questions."""
    policies = {policy.id: policy for policy in world.facts.policies}
    found = []
    for attachment in world.facts.attachments:
        if attachment.target == who.id and attachment.layer is layer:
            policy = policies.get(attachment.policy)
            if policy is None:
                found.append(("answerable:uncollected-policy", str(attachment.policy)))
            else:
                found += [
                    ("answerable:unread-statement", f"{policy.id}#{gone.sid}")
                    for gone in policy.unread
                ]
    return found


def has_policy(world: World, who: Identity, layer: Layer) -> bool:
    """Tell whether an identity has a policy at a layer, be it an empty one."""
    return any(a.target == who.id and a.layer is layer for a in world.facts.attachments)


def find_identity(world: World, arn: str) -> Identity | None:
    """Find an identity by ARN."""
    return next((i for i in world.facts.identities if i.id == arn), None)


def is_role(identity: Identity) -> bool:
    """Tell a role from a user."""
    return ":role/" in identity.id
