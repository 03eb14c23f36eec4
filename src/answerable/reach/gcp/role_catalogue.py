"""Catalogue of predefined roles: the permissions of each, with its date."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from answerable.reach.gcp.catalogue import GoogleRole

# Basic roles whose holders a policy names by a convenience value: `projectOwner:P`.
CONVENIENCE_ROLES = {
    "projectOwner": "roles/owner",
    "projectEditor": "roles/editor",
    "projectViewer": "roles/viewer",
}


@dataclass(frozen=True, slots=True)
class PredefinedRoles:
    """Predefined roles of Google Cloud.

    Attributes:
        permissions: All permissions, sorted.
        ranges: By role, numbers of permissions: `3 7-12`.
        date: Day on which the source read them from Google.
    """

    permissions: tuple[str, ...] = ()
    ranges: Mapping[str, str] = field(default_factory=dict)
    date: str = ""

    def list_permissions(self, role: str) -> frozenset[str] | None:
        """List the permissions of a role; None if it is not in the catalogue."""
        text = self.ranges.get(role)
        if text is None:
            return None
        found: set[str] = set()
        for part in text.split():
            first, _, last = part.partition("-")
            found.update(self.permissions[int(first) : int(last or first) + 1])
        return frozenset(found)


class RoleTable:
    """Permissions of predefined and custom roles.

    Attributes:
        known: All permissions that any role names.
    """

    def __init__(
        self, predefined: PredefinedRoles, roles: Mapping[str, GoogleRole]
    ) -> None:
        self._predefined = predefined
        self._roles = roles
        self._found: dict[str, frozenset[str] | None] = {}
        more = {each for role in roles.values() for each in role.permissions}
        self.known = frozenset(predefined.permissions) | more
        self.date = predefined.date
        self._patterns: dict[frozenset[str], tuple[str, ...]] = {}

    @cached_property
    def services(self) -> Mapping[str, int]:
        """Count the permissions of each service."""
        return Counter(each.partition(".")[0] for each in self.known)

    @cached_property
    def _count_permissions_by_kind(self) -> Mapping[str, int]:
        """Count the permissions of each kind of resource: `storage.objects`."""
        return Counter(each.rpartition(".")[0] for each in self.known)

    def join_patterns(self, permissions: frozenset[str]) -> tuple[str, ...]:
        """Join permissions to patterns where none of a prefix is missing."""
        found = self._patterns.get(permissions)
        if found is None:
            found = self._patterns[permissions] = tuple(
                self._yield_permission_patterns(permissions)
            )
        return found

    def _yield_permission_patterns(self, permissions: frozenset[str]) -> Iterator[str]:
        """Yield `storage.*`, `storage.objects.*` or single permissions, sorted."""
        by_service: dict[str, list[str]] = {}
        for each in sorted(permissions):
            by_service.setdefault(each.partition(".")[0], []).append(each)
        for service, own in by_service.items():
            if len(own) == self.services[service] > 1:
                yield f"{service}.*"
                continue
            by_kind: dict[str, list[str]] = {}
            for each in own:
                by_kind.setdefault(each.rpartition(".")[0], []).append(each)
            for kind, names in by_kind.items():
                whole = len(names) == self._count_permissions_by_kind[kind] > 1
                yield from (f"{kind}.*",) if whole else names

    def get_permissions(self, role: str) -> frozenset[str] | None:
        """Return the permissions of a role; None if they are not known."""
        if role not in self._found:
            self._found[role] = self._look_up(role)
        return self._found[role]

    def _look_up(self, role: str) -> frozenset[str] | None:
        """Look a role up: scanned roles come before the catalogue."""
        own = self._roles.get(role)
        if own is not None:
            return frozenset() if own.disabled else frozenset(own.permissions)
        return self._predefined.list_permissions(role)
