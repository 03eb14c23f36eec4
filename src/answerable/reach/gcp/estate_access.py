"""Access of principals after steps: as themselves, as others, by policies they set."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from answerable.model.google_cloud_ids import get_container, get_permission_service
from answerable.reach.condition_formula import FALSE, TRUE, Verdict
from answerable.reach.gcp.access_evaluation import Access, AccessEvaluation
from answerable.reach.gcp.answer_building import GoogleAccess
from answerable.reach.gcp.estate_index import GoogleCloudIndex
from answerable.reach.gcp.estate_tables import IndexedBinding
from answerable.reach.gcp.limit_changes import LimitChange, apply_changes
from answerable.reach.gcp.limit_lifting import (
    LiftedLimits,
    list_lifted_limits,
    rank_access,
)
from answerable.reach.gcp.step_edges import StepLister
from answerable.reach.gcp.step_rules import CONTAINER_POLICY, ROLE_UPDATE
from answerable.reach.gcp.step_search import ReachedPrincipal, StepSearch
from answerable.reach.platform import DeterminingStatement, PathHop

_ROLE_PARENT = "//cloudresourcemanager.googleapis.com/"


class EstateAccess:
    """Access to the resources of one snapshot."""

    def __init__(self, index: GoogleCloudIndex) -> None:
        self.index = index
        self.evaluation = AccessEvaluation(index)
        self.lister = StepLister(self.evaluation)
        self.search = StepSearch(self.lister)
        self._without: dict[frozenset[LimitChange], EstateAccess] = {}
        self._lifted: dict[str, Sequence[LiftedLimits]] = {}

    def find_access(
        self, principal: str, permission: str, resource: str, *, direct: bool
    ) -> GoogleAccess:
        """Find the surest access of a principal to a call.

        Returns:
            The access of a principal with `never` if there is none.
        """
        if direct:
            own = self.evaluate(principal, permission, resource)
            return _build_found(ReachedPrincipal(principal), own)
        found = self.find_present_access(principal, permission, resource)
        if found.verdict is not Verdict.ALWAYS:
            for lifted in self.list_lifted(principal):
                other = lifted.find_access(principal, permission, resource)
                found = min(found, other, key=rank_access)
        return found

    def list_lifted(self, principal: str) -> Sequence[LiftedLimits]:
        """List the estates without the limits that a principal may change."""
        if not self.index.has_changeable_limits():
            return ()
        found = self._lifted.get(principal)
        if found is None:
            found = self._lifted[principal] = tuple(list_lifted_limits(self, principal))
        return found

    def without_limits(self, changes: Collection[LimitChange]) -> "EstateAccess":
        """Return the access without some limits."""
        key = frozenset(changes)
        found = self._without.get(key)
        if found is None:
            index = apply_changes(self.index, changes)
            found = self._without[key] = EstateAccess(index)
        return found

    def find_present_access(
        self, principal: str, permission: str, resource: str
    ) -> GoogleAccess:
        """Find the surest access of a principal under the present limits."""
        own = self.evaluate(principal, permission, resource)
        if own.formula == TRUE:
            return _build_found(ReachedPrincipal(principal), own)
        best: GoogleAccess | None = None
        for reached in self.search.search_from(principal):
            for found in self.list_accesses(reached, permission, resource):
                if found.gaps or found.total == FALSE:
                    continue
                if found.total == TRUE:
                    return found
                best = best or found
        if best is not None:
            return best
        return self._find_gaps(principal, permission, resource, own)

    def _find_gaps(
        self, principal: str, permission: str, resource: str, own: Access
    ) -> GoogleAccess:
        """Find the missing data that could allow a call."""
        found = _build_found(ReachedPrincipal(principal), own)
        if found.gaps:
            return found
        for reached in self.search.search_from(principal, with_gaps=True):
            for each in self.list_accesses(reached, permission, resource):
                gaps = (*reached.gaps, *each.gaps)
                if gaps and (each.formula != FALSE or each.gaps):
                    return replace(each, gaps=tuple(dict.fromkeys(gaps)))
        return found

    def evaluate(self, principal: str, permission: str, resource: str) -> Access:
        """Evaluate one request of a principal by itself."""
        return self.evaluation.evaluate(principal, permission, resource)

    def list_accesses(
        self, reached: ReachedPrincipal, permission: str, resource: str
    ) -> Iterator[GoogleAccess]:
        """Yield the accesses of a reached principal: its own, then by policies it sets."""
        own = self.evaluate(reached.principal, permission, resource)
        found = _build_found(reached, own)
        yield found
        if own.formula == TRUE:
            return
        for place in self.index.tree.get_chain(resource):
            via = get_policy_permission(self.index, place)
            control = self.evaluate(reached.principal, via, place) if via else None
            if control is None or (control.formula == FALSE and not control.gaps):
                continue
            yield self._build_controlled(
                reached, (permission, resource), (via, place), control
            )
        yield from self._list_role_updates(reached, permission, resource)

    def _build_controlled(
        self,
        reached: ReachedPrincipal,
        call: tuple[str, str],
        control: tuple[str, str],
        access: Access,
    ) -> GoogleAccess:
        """Build the access by a binding that a principal may add to a policy."""
        via, place = control
        limits, rules = self.evaluation.evaluate_limits(reached.principal, *call)
        hop = PathHop(reached.principal, via, place, access.formula, access.statements)
        added = DeterminingStatement(
            "allow-policy", place, "a binding that the identity may add", "allow"
        )
        return GoogleAccess(
            limits,
            (*reached.hops, hop),
            (added, *rules),
            (*reached.gaps, *access.gaps) if access.formula == FALSE else reached.gaps,
            access.assumed,
        )

    def _list_role_updates(
        self, reached: ReachedPrincipal, permission: str, resource: str
    ) -> Iterator[GoogleAccess]:
        """Yield the accesses by permissions that a principal may add to its own role.

        Source: https://docs.cloud.google.com/iam/docs/creating-custom-roles, "Edit an
        existing custom role".
        """
        index = self.index
        for place in index.tree.get_chain(resource):
            for binding in index.by_resource.get(place, ()):
                kind = binding.role.partition("/")[0]
                if kind not in ("projects", "organizations") or binding.condition:
                    continue
                if index.match_binding(reached.principal, binding) != TRUE:
                    continue
                parent = _ROLE_PARENT + "/".join(binding.role.split("/")[:2])
                control = self.evaluate(reached.principal, ROLE_UPDATE, parent)
                if control.formula != FALSE:
                    found = self._build_controlled(
                        reached, (permission, resource), (ROLE_UPDATE, place), control
                    )
                    hop = replace(found.hops[-1], to=binding.role)
                    yield replace(found, hops=(*found.hops[:-1], hop))

    def list_controlled(self, principal: str) -> Iterator[tuple[str, str, Access]]:
        """Yield the resources whose policy a principal may set, with the permission."""
        seen: set[str] = set()
        for binding in self.index.list_bindings_of(principal):
            for place in self._list_settable(binding):
                if place in seen:
                    continue
                seen.add(place)
                via = get_policy_permission(self.index, place)
                access = self.evaluate(principal, via, place)
                if access.formula != FALSE:
                    yield place, via, access

    def _list_settable(self, binding: IndexedBinding) -> Iterator[str]:
        """Yield the resources whose policy a role may set: its own, and containers below."""
        index, place = self.index, binding.resource
        via = get_policy_permission(index, place)
        if via and index.may_include(binding.role, via):
            yield place
            return  # everything below follows
        if not get_container(place)[0]:
            return
        for permission in CONTAINER_POLICY.values():
            if index.may_include(binding.role, permission):
                yield from index.tree.list_below(place, permission.split(".")[1])


def get_policy_permission(index: GoogleCloudIndex, place: str) -> str:
    """Return the permission to set the policy of a resource; empty for none."""
    kind, _ = get_container(place)
    if kind:
        return CONTAINER_POLICY.get(kind, "")
    service = get_permission_service(place)
    path = place.removeprefix("//").partition("/")[2].split("/")
    if place.startswith("//storage.googleapis.com/"):
        collection = "objects" if len(path) > 1 else "buckets"
    else:
        collection = path[-2] if len(path) > 1 else ""
    found = f"{service}.{collection}.setIamPolicy"
    return found if found in index.roles.known else ""


def _build_found(reached: ReachedPrincipal, access: Access) -> GoogleAccess:
    """Build the access of a reached principal from the result of its request."""
    gaps = access.gaps if access.formula == FALSE else ()
    return GoogleAccess(
        access.formula,
        reached.hops,
        access.statements,
        (*reached.gaps, *gaps) if access.formula != FALSE or gaps else (),
        access.assumed,
    )
