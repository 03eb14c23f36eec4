"""Action catalogue: the actions of each AWS service and their resource types.

It is reference data, not inventory: it defines the action names that a policy can use.
A catalogue may hold some services only; the caller names the services it needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActionEntry:
    """Action of a service.

    Attributes:
        service: Service prefix in lower case, e.g. `s3`.
        name: As the service spells it, e.g. `GetObject`.
        access: `Read`, `List`, `Write`, `Tagging` or `Permissions management`.
        resource_types: Names of types it can be granted on; empty for an action that
            only `*` grants.
        required_types: Types of which every call names a resource.
    """

    service: str
    name: str
    access: str
    resource_types: tuple[str, ...]
    required_types: tuple[str, ...] = ()

    @property
    def takes_only_wildcard_resource(self) -> bool:
        """Return whether only the resource `*` can be granted."""
        return not self.resource_types

    def __str__(self) -> str:
        return f"{self.service}:{self.name}"


@dataclass(frozen=True, slots=True)
class ResourceTypeEntry:
    """Resource type of a service.

    Attributes:
        name: Short name, e.g. `bucket`.
        arn: Pattern whose variable parts are `*`, e.g. `arn:*:s3:::*`.
    """

    name: str
    arn: str


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """Service with its actions and resource types.

    Attributes:
        actions: By name in lower case.
        resource_types: By name.
    """

    actions: Mapping[str, ActionEntry]
    resource_types: Mapping[str, ResourceTypeEntry]


@dataclass(frozen=True, slots=True, eq=False)
class ActionCatalogue:
    """Catalogue of some or all services.

    Attributes:
        version: Of the data.
        known: Prefixes of every service there is, loaded or not.
        services: Those that are loaded, by prefix in lower case.
    """

    version: str
    known: frozenset[str]
    services: Mapping[str, ServiceEntry]

    def find_action(self, text: str) -> ActionEntry | None:
        """Look up `service:Action` in any case; None when not loaded or not known."""
        service, _, name = text.lower().partition(":")
        entry = self.services.get(service)
        return entry.actions.get(name) if entry else None
