"""The action catalogue: which actions exist, and on which resource types they act.

It is a reference, not a source of inventory: it says what a word in a policy can mean.
A catalogue may hold some services only; whoever asks names the services it needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActionEntry:
    """One action.

    Attributes:
        service: Service prefix in lower case, e.g. `s3`.
        name: As the service spells it, e.g. `GetObject`.
        access: `Read`, `List`, `Write`, `Tagging` or `Permissions management`.
        resource_types: Names of types it can be granted on; empty for an action that
            only `*` grants.
    """

    service: str
    name: str
    access: str
    resource_types: tuple[str, ...]

    @property
    def wildcard_only(self) -> bool:
        """Tell whether no resource can be named for it."""
        return not self.resource_types

    def __str__(self) -> str:
        return f"{self.service}:{self.name}"


@dataclass(frozen=True, slots=True)
class ResourceTypeEntry:
    """One resource type.

    Attributes:
        name: e.g. `bucket`.
        arn: Pattern whose variable parts are `*`, e.g. `arn:*:s3:::*`.
    """

    name: str
    arn: str


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service.

    Attributes:
        actions: By name in lower case.
        resource_types: By name.
    """

    actions: Mapping[str, ActionEntry]
    resource_types: Mapping[str, ResourceTypeEntry]


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Some or all services.

    Attributes:
        version: Of the data.
        known: Prefixes of every service there is, loaded or not.
        services: Those that are loaded, by prefix in lower case.
    """

    version: str
    known: frozenset[str]
    services: Mapping[str, ServiceEntry]

    def action(self, text: str) -> ActionEntry | None:
        """Look up `service:Action` in any case; None when not loaded or not known."""
        service, _, name = text.lower().partition(":")
        entry = self.services.get(service)
        return entry.actions.get(name) if entry else None
