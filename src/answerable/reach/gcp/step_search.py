"""Follow steps from a principal onwards, or back from some principals.

Steps without conditions are followed first, then those with conditions, and last those
that rest on missing data. So the path to a principal is the surest one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from answerable.model.google_cloud_ids import is_service_account, split_pool_principal
from answerable.reach.condition_formula import FALSE, TRUE
from answerable.reach.gcp.access_evaluation import AccessGap
from answerable.reach.gcp.estate_index import GoogleCloudIndex
from answerable.reach.gcp.google_steps import GoogleStep
from answerable.reach.gcp.step_edges import StepLister
from answerable.reach.gcp.step_rules import DELEGATION, GET_ACCESS_TOKEN
from answerable.reach.platform import PathHop

_SURE, _OPEN, _GAP = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ReachedPrincipal:
    """Principal at the end of a path.

    Attributes:
        gaps: Missing data without which the path does not exist.
    """

    principal: str
    steps: tuple[GoogleStep, ...] = ()

    @property
    def hops(self) -> tuple[PathHop, ...]:
        """Steps of the path in the terms of the document."""
        return tuple(
            PathHop(s.origin, s.via, s.target, s.formula, s.statements)
            for s in self.steps
        )

    @property
    def gaps(self) -> tuple[AccessGap, ...]:
        """Missing data of all steps."""
        return tuple(dict.fromkeys(gap for s in self.steps for gap in s.gaps))


def grade_step(step: GoogleStep) -> int:
    """Grade a step: 0 without conditions, 1 with, 2 on missing data."""
    if step.gaps:
        return _GAP
    return _SURE if step.formula == TRUE else _OPEN


class StepSearch:
    """Searches over the steps of a snapshot."""

    def __init__(self, lister: StepLister) -> None:
        self.lister = lister
        self._index = lister.index
        self._forward: dict[tuple[str, bool], tuple[ReachedPrincipal, ...]] = {}
        self._leading: dict[str, tuple[str, ...]] = {}

    def search_from(
        self, principal: str, *, with_gaps: bool = False
    ) -> tuple[ReachedPrincipal, ...]:
        """Find the principals that one is or can become, the surest first."""
        key = principal, with_gaps
        found = self._forward.get(key)
        if found is None:
            found = self._forward[key] = tuple(
                self._yield_own_and_reachable(principal, with_gaps)
            )
        return found

    def _yield_own_and_reachable(
        self, principal: str, with_gaps: bool
    ) -> Iterator[ReachedPrincipal]:
        """Yield the principals that one is or can become."""
        last = _GAP if with_gaps else _OPEN
        for target, path in _yield_reachable_principals(
            principal, self.lister.list_steps, last
        ):
            yield ReachedPrincipal(target, path)

    def search_back(
        self, targets: Mapping[str, bool]
    ) -> dict[str, tuple[GoogleStep, ...]]:
        """Find the principals that can become one of some targets, with the path.

        Args:
            targets: Whether each has the access without conditions. Those with
                conditions may be entered by others with better ones.
        """
        found: dict[str, tuple[GoogleStep, ...]] = {}
        ordered = sorted(targets, key=lambda each: not targets[each])
        for last in (_SURE, _OPEN):
            queue = deque([*ordered, *found])
            while queue:
                target = queue.popleft()
                for origin in self.list_leading(target):
                    if origin in targets or origin in found:
                        continue
                    step = self.lister.find_step(origin, target)
                    if step is not None and grade_step(step) <= last:
                        found[origin] = (step, *found.get(target, ()))
                        queue.append(origin)
        return found

    def list_leading(self, target: str) -> tuple[str, ...]:
        """List the principals that may have a step to a target."""
        found = self._leading.get(target)
        if found is None:
            found = self._leading[target] = tuple(self._compute_leading(target))
        return found

    def _compute_leading(self, target: str) -> Iterable[str]:
        """List the principals with a permission for steps on a target's ancestors.

        Into an identity pool lead id tokens of any account, and providers of a project.
        """
        index, found = self._index, dict[str, None]()
        places: Sequence[str] = ()
        if is_service_account(target):
            places = index.tree.get_chain(index.get_account_resource(target))
        elif split_pool_principal(target)[0].startswith("projects/"):
            places = tuple(index.by_resource)
        for place in places:
            found |= self._list_holders(place)
        if is_service_account(target) and self._has_delegation():
            for place in tuple(index.by_resource):
                found |= self._list_holders(place)
        return found

    def _has_delegation(self) -> bool:
        """Return whether chains over delegates may lead anywhere.

        The delegate need not be an ancestor of the target.
        """
        return _any_delegation(self._index, self.lister.select_step_permissions)

    def _list_holders(self, place: str) -> dict[str, None]:
        """List the members, also of groups, with a permission for steps on a place."""
        found: dict[str, None] = {}
        for binding in self._index.by_resource.get(place, ()):
            if self.lister.select_step_permissions(binding.role):
                expanded = self._index.principals.expand(binding.members)
                found |= dict.fromkeys(sorted(expanded))
        return found


def _any_delegation(
    index: GoogleCloudIndex, select: Callable[[str], frozenset[str]]
) -> bool:
    """Return whether a role of any binding has the delegation permission alone.

    A holder of `getAccessToken` on the delegate needs no delegation.
    """
    return any(
        DELEGATION in select(role) and GET_ACCESS_TOKEN not in select(role)
        for role in index.header.granted_roles
        if index.roles.get_permissions(role) is not None
    )


def _yield_reachable_principals(
    start: str, list_steps: Callable[[str], Iterable[GoogleStep]], last: int
) -> Iterator[tuple[str, tuple[GoogleStep, ...]]]:
    """Yield each principal once, by its surest and then shortest path."""
    paths: dict[str, tuple[GoogleStep, ...]] = {start: ()}
    yield start, ()
    for grade in range(last + 1):
        queue = deque(paths)
        while queue:
            origin = queue.popleft()
            for step in list_steps(origin):
                if step.target in paths or grade_step(step) > grade:
                    continue
                if step.formula == FALSE and not step.gaps:
                    continue
                paths[step.target] = (*paths[origin], step)
                yield step.target, paths[step.target]
                queue.append(step.target)
