"""Denies of resource policies and RCPs on the rows of a principal.

A row of many resources does not list which of them deny: one condition says that some
may, for the services concerned (`answerable:resource-policy`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.organization_policies import Fence
from answerable.reach.aws.compiled.principal_element import is_account
from answerable.reach.aws.compiled.principal_matching import names
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.resources import holder_of, owner_of
from answerable.reach.aws.compiled.service_facts import RCP_SERVICES, TRUST_CALLS
from answerable.reach.aws.compiled.statements import Clause, Grant, held
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.pattern_requests import (
    KEYS,
    RESOURCE_POLICY,
    has_unsure_doors,
)
from answerable.reach.aws.evaluation.resource_policies import Denier, ResourcePolicy
from answerable.reach.aws.evaluation.trust import ASSUME
from answerable.reach.aws.patterns.action_resource_matrix import names_resources
from answerable.reach.aws.patterns.arns import Parts, overlaps_parts
from answerable.reach.aws.patterns.globs import STAR, is_literal
from answerable.reach.aws.patterns.terms import (
    ACTIONS,
    Term,
    covers,
    disjoint,
    meet,
    minus,
    parts_text,
)
from answerable.reach.aws.permission_rows.row_types import Row
from answerable.reach.aws.permission_rows.spans import action_terms
from answerable.reach.formula import FALSE, atom, both


@dataclass(slots=True)
class Takings:
    """Denies that may apply to the rows of one principal.

    Attributes:
        known: Condition keys known for every call.
        deniers: Resource policies that may deny, by service.
    """

    estate: Estate
    principal: Principal
    known: Known
    deniers: Mapping[str, tuple[Denier, ...]]
    _services: tuple[str, ...] | None = None
    _applying: dict[int, bool] = field(default_factory=dict)

    def left(self, row: Row) -> list[Row]:
        """Split a row into parts; a part that may be denied is left open."""
        on = row.resources.pattern
        if self._is_far(on) or _is_door(on) or _needs_trust(row):
            return [opened(row)]
        kept, open_ = [row], []
        for service in self._concerned():
            term = Term(f"{service}:{STAR}")
            rest: list[Row] = []
            for one in kept:
                if disjoint(ACTIONS, one.actions, term) or not self._takes(
                    service, one
                ):
                    rest.append(one)
                    continue
                part, outside = _split(one, term)
                open_.append(opened(part))
                rest += outside
            kept = rest
        return kept + open_

    def bearing(self, service: str) -> tuple[object, ...]:
        """List the denies of a service that may apply to the principal."""
        denies = self.deniers.get(service, ())
        own = (grant is None or self._applies(grant) for grant, _ in denies)
        return (*own, *(grant.clause.number for grant in self._fencing()))

    def _is_far(self, resource: Parts) -> bool:
        """Tell whether a row names resources of another account."""
        if len(resource) != 6:
            return False
        mine = self.principal.identity.account
        if is_account(resource[4]):
            return resource[4] != mine
        bucket = resource[5].partition("/")[0]
        if resource[2] != "s3" or resource[3] or resource[4] or not is_literal(bucket):
            return False
        arn = f"arn:{resource[1]}:s3:::{bucket}"
        return owner_of(self.estate.resources, arn, holder_of(arn)) not in ("", mine)

    def _concerned(self) -> tuple[str, ...]:
        """List the services whose resource policies or RCPs may deny."""
        if self._services is None:
            found = {"kms", *self.deniers}
            if self.estate.doors:
                found.add("s3")
            for grant in self._fencing():
                found |= RCP_SERVICES & (grant.clause.services or RCP_SERVICES)
            if self._is_fence_unread():
                found |= RCP_SERVICES
            self._services = tuple(sorted(found))
        return self._services

    def _fence(self) -> Fence | None:
        if self.principal.linked:
            return None
        return self.estate.fences.get(self.principal.identity.account)

    def _fencing(self) -> tuple[Grant, ...]:
        fence = self._fence()
        denies = fence.denies if fence else ()
        return tuple(grant for grant in denies if self._holds(grant.clause))

    def _is_fence_unread(self) -> bool:
        fence = self._fence()
        return fence is not None and bool(fence.gaps)

    def _takes(self, service: str, row: Row) -> bool:
        on = row.resources.pattern
        if service == "kms" and overlaps_parts(KEYS, on):
            catalogue, action = self.estate.catalogue, row.actions.pattern
            if names_resources(catalogue, action):
                return True
        if service == "s3" and has_unsure_doors(self.estate, row.resources):
            return True
        if service in RCP_SERVICES and (
            self._is_fence_unread()
            or any(_meets(grant.clause, row) for grant in self._fencing())
        ):
            return True
        return any(
            self._denied_by(row, *pair) for pair in self.deniers.get(service, ())
        )

    def _denied_by(
        self, row: Row, grant: Grant | None, owners: tuple[ResourcePolicy, ...]
    ) -> bool:
        if grant and not (_speaks(grant.clause, row) and self._applies(grant)):
            return False
        near = ("", self.principal.identity.account)
        return any(
            own.account in near
            and any(overlaps_parts(p, row.resources.pattern) for p in own.spoken_of)
            for own in owners
        )

    def _applies(self, grant: Grant) -> bool:
        """Tell whether a deny of a resource policy may apply to the principal."""
        number = grant.clause.number
        found = self._applying.get(number)
        if found is None:
            named = any(f != FALSE for _, f in names(grant.clause, self.principal))
            found = self._applying[number] = named and self._holds(grant.clause)
        return found

    def _holds(self, clause: Clause) -> bool:
        return held(clause, self.known) != FALSE


def _is_door(on: Parts) -> bool:
    """Tell whether a row names access points; the bucket policy applies too."""
    return len(on) == 6 and on[2] == "s3" and on[5].startswith("accesspoint/")


def _needs_trust(row: Row) -> bool:
    # Rows of `sts:AssumeRole` are listed by role, with the trust policy.
    action = row.actions.pattern
    return action in TRUST_CALLS and action != ASSUME


def opened(row: Row) -> Row:
    """Return a row under the open condition of its resource policies."""
    on = parts_text(row.resources.pattern)
    decides = atom(RESOURCE_POLICY, "Matches", (on,))
    return row._replace(formula=both(row.formula, decides))


def _split(row: Row, term: Term[str]) -> tuple[Row, list[Row]]:
    """Split off the actions of a service, where patterns can express it exactly."""
    if covers(ACTIONS, term, row.actions):
        return row, []
    part, exact = meet(ACTIONS, row.actions, term)
    rest = minus(ACTIONS, row.actions, term) if exact else None
    if rest is None:
        return row, []
    return row._replace(actions=part), [row._replace(actions=left) for left in rest]


def _speaks(clause: Clause, row: Row) -> bool:
    return any(not disjoint(ACTIONS, row.actions, t) for t in action_terms(clause))


def _meets(clause: Clause, row: Row) -> bool:
    if not _speaks(clause, row):
        return False
    if clause.not_resources or not clause.parts:
        return True
    return any(overlaps_parts(parts, row.resources.pattern) for parts in clause.parts)
