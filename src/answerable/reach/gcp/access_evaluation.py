"""Evaluate one request: eligible by boundaries, not denied, and allowed.

Sources: https://docs.cloud.google.com/iam/docs/policy-types, "Policy evaluation";
https://docs.cloud.google.com/iam/docs/deny-overview;
https://docs.cloud.google.com/iam/docs/principal-access-boundary-policies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from answerable.model.google_cloud_ids import (
    expand_resource_name,
    get_permission_service,
    normalise_permission,
)
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    ConditionAtom,
    Formula,
    build_atom,
    conjoin,
    disjoin,
    negate,
)
from answerable.reach.gcp.catalogue import (
    GoogleAccessBoundary,
    GoogleDenyPolicy,
    GoogleDenyRule,
)
from answerable.reach.gcp.condition_context import (
    evaluate_principal_condition,
    evaluate_resource_condition,
)
from answerable.reach.gcp.estate_index import (
    BOUNDARIES,
    DENY,
    POLICIES,
    GoogleCloudIndex,
)
from answerable.reach.gcp.estate_tables import IndexedBinding
from answerable.reach.gcp.principals import MEMBERSHIP
from answerable.reach.platform import DeterminingStatement

PREDEFINED_ROLES = "roles"
DENY_RULES = "gcp:deny-rules"
ENFORCEMENT = "gcp:boundary-enforcement"
BOUNDARY = "gcp:boundary-rules"
_ORGANIZATION = "//cloudresourcemanager.googleapis.com/organizations/"


@dataclass(frozen=True, slots=True, order=True)
class AccessGap:
    """Missing data that could allow a request.

    Attributes:
        subject: Group, role or resource that it is about.
        because: Missing data.
        word: Coverage word.
    """

    subject: str
    because: str
    word: str


@dataclass(frozen=True, slots=True)
class Access:
    """Result of the evaluation of one request.

    Attributes:
        statements: Bindings that allow, or rules that deny.
        gaps: Missing data that could allow it; none if it is allowed without it, or
            refused in any case.
        assumed: Kinds of uncollected policies that could refuse it.
    """

    formula: Formula
    statements: tuple[DeterminingStatement, ...] = ()
    gaps: tuple[AccessGap, ...] = ()
    assumed: tuple[str, ...] = ()


class AccessEvaluation:
    """Evaluation of requests on the collected data, with its results."""

    def __init__(self, index: GoogleCloudIndex) -> None:
        self.index = index
        self._found: dict[tuple[str, str, str], Access] = {}

    def evaluate(self, principal: str, permission: str, resource: str) -> Access:
        """Evaluate whether a principal has a permission on a resource."""
        key = principal, permission, resource
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._evaluate_request(*key)
        return found

    def _evaluate_request(
        self, principal: str, permission: str, resource: str
    ) -> Access:
        """Evaluate a request."""
        allowed, statements, gaps = self._evaluate_allow(
            principal, permission, resource
        )
        if allowed == FALSE and not gaps:
            return Access(FALSE)
        limits, refusing = self.evaluate_limits(principal, permission, resource)
        if limits == FALSE:
            return Access(FALSE, refusing)
        formula = conjoin(allowed, limits)
        used = tuple(gaps) if formula != TRUE else ()
        return Access(formula, (*statements, *refusing), used, self.list_assumed())

    def evaluate_limits(
        self, principal: str, permission: str, resource: str
    ) -> tuple[Formula, tuple[DeterminingStatement, ...]]:
        """Evaluate deny policies and boundaries: what refuses a request, if allowed."""
        denied, rules = self._evaluate_deny(principal, permission, resource)
        eligible, bounds = self._evaluate_boundaries(principal, permission, resource)
        limits = conjoin(negate(denied), eligible)
        return limits, (*rules, *bounds) if limits != TRUE else ()

    def list_assumed(self) -> tuple[str, ...]:
        """List the kinds of uncollected policies that could refuse a request."""
        kinds = (DENY, BOUNDARIES)
        return tuple(
            f"gcp-{each}" for each in kinds if each not in self.index.collected
        )

    def _evaluate_allow(
        self, principal: str, permission: str, resource: str
    ) -> tuple[Formula, list[DeterminingStatement], list[AccessGap]]:
        """Evaluate the allow policies of a resource and its ancestors: their union."""
        index = self.index
        formula: Formula = FALSE
        statements: list[DeterminingStatement] = []
        gaps: dict[AccessGap, None] = {}
        for place in index.tree.get_chain(resource):
            for binding in index.select_bindings(place, permission):
                match = index.match_binding(principal, binding)
                if match == FALSE:
                    continue
                condition = evaluate_resource_condition(
                    index, binding.condition, permission, resource
                )
                granted = conjoin(match, condition)
                if granted == FALSE:
                    continue
                gap = self.find_gap(binding, match)
                if gap:
                    gaps[gap] = None
                    continue
                statement = describe_binding(index, principal, binding)
                if granted == TRUE:
                    return TRUE, [statement], []
                formula = disjoin(formula, granted)
                statements.append(statement)
        if not index.has_policies_of(resource):
            gaps[self.explain_policies(resource)] = None
        return formula, statements, list(gaps)

    def explain_policies(self, resource: str) -> AccessGap:
        """Explain that the policies of a resource and its ancestors are not all known."""
        tree = self.index.tree
        what = "its allow policy was not collected"
        if POLICIES in self.index.collected and not tree.reaches_root(resource):
            what = "its ancestors and their allow policies were not collected"
        return AccessGap(tree.get_chain(resource)[-1], what, f"gcp-{POLICIES}")

    def find_gap(self, binding: IndexedBinding, match: Formula) -> AccessGap | None:
        """Find the missing data that decides whether a binding allows."""
        if self.index.roles.get_permissions(binding.role) is None:
            what = "its permissions are in no scan and not in the catalogue"
            kind = (
                PREDEFINED_ROLES
                if binding.role.startswith("roles/")
                else "custom-roles"
            )
            return AccessGap(binding.role, what, f"gcp-{kind}")
        group = _find_open_group(match)
        if group:
            what = "the members of the group were not collected"
            return AccessGap(group, what, "gcp-groups")
        return None

    def _evaluate_deny(
        self, principal: str, permission: str, resource: str
    ) -> tuple[Formula, list[DeterminingStatement]]:
        """Evaluate the deny policies of a resource and its ancestors."""
        formula: Formula = FALSE
        statements: list[DeterminingStatement] = []
        if not self.index.deny_policies:
            return formula, statements
        for place in self.index.tree.get_chain(resource):
            for policy in self.index.deny_policies.get(place, ()):
                for number, denied in self._iterate_denials(
                    policy, principal, permission, resource
                ):
                    formula = disjoin(formula, denied)
                    statements.append(_describe_denial(policy, place, number))
        return formula, statements

    def _iterate_denials(
        self, policy: GoogleDenyPolicy, principal: str, permission: str, resource: str
    ) -> Iterator[tuple[int, Formula]]:
        """Yield the rules of a deny policy that refuse a request, from 1 on."""
        if policy.rules is None:
            yield 0, build_atom(DENY_RULES, "Deny", (policy.name,))
            return
        for number, rule in enumerate(policy.rules, 1):
            if not denies_permission(rule, permission):
                continue
            named = self._match_any(principal, rule.principals)
            excepted = self._match_any(principal, rule.exception_principals)
            condition = evaluate_resource_condition(
                self.index, rule.condition, permission, resource
            )
            denied = conjoin(named, negate(excepted), condition)
            if denied != FALSE:
                yield number, denied

    def _match_any(self, principal: str, members: tuple[str, ...]) -> Formula:
        """Return whether one of some members includes a principal."""
        return disjoin(*(self.index.match(principal, each) for each in members))

    def _evaluate_boundaries(
        self, principal: str, permission: str, resource: str
    ) -> tuple[Formula, list[DeterminingStatement]]:
        """Evaluate the access boundaries of a principal: the union of their resources.

        Without a boundary every resource is eligible.
        """
        bound: Formula = FALSE
        eligible: Formula = FALSE
        statements: list[DeterminingStatement] = []
        for binding in self.index.boundary_bindings:
            opened = binding.policy in self.index.lifted_boundaries
            applies = conjoin(
                self.index.match(principal, binding.principal_set),
                evaluate_principal_condition(binding.condition, principal),
            )
            if applies == FALSE:
                continue
            bound = disjoin(bound, applies)
            policy = self.index.boundaries.get(binding.policy)
            covered = TRUE
            if not opened:
                covered = self._does_boundary_cover(
                    policy, binding.policy, permission, resource
                )
            eligible = disjoin(eligible, conjoin(applies, covered))
            statements.append(
                DeterminingStatement(
                    "access-boundary", binding.policy, binding.name, "limit"
                )
            )
        return disjoin(negate(bound), eligible), statements

    def _does_boundary_cover(
        self,
        policy: GoogleAccessBoundary | None,
        name: str,
        permission: str,
        resource: str,
    ) -> Formula:
        """Return whether a boundary makes a resource eligible for a permission."""
        if policy is None:
            return build_atom(BOUNDARY, "Includes", (name,))
        tree = self.index.tree
        for each in policy.resources:
            if tree.contains(tree.normalise(expand_resource_name(each)), resource):
                return TRUE
        if is_enforced(policy, permission):
            return FALSE if tree.reaches_root(resource) else _leave_place_open(policy)
        version = policy.version or "latest"
        return build_atom(ENFORCEMENT, "Excludes", (f"{version}: {permission}",))


def _leave_place_open(policy: GoogleAccessBoundary) -> Formula:
    """Leave open whether a resource with unknown ancestors is in a boundary."""
    return build_atom(BOUNDARY, "Includes", (policy.name,))


def _find_open_group(match: Formula) -> str:
    """Return the group whose members decide a match; empty for none."""
    for alternative in match:
        for atom in alternative:
            if _names_group(atom):
                return atom.values[0]
    return ""


def _names_group(atom: ConditionAtom) -> bool:
    """Return whether an atom is about the members of a group."""
    return atom.key == MEMBERSHIP and atom.values[0].startswith("group:")


def describe_binding(
    index: GoogleCloudIndex, principal: str, binding: IndexedBinding
) -> DeterminingStatement:
    """Describe a binding by its resource, its role and the member that matches."""
    certain = index.principals.get_membership(principal).certain
    named = sorted(
        binding.members & certain, key=lambda each: (each != principal, each)
    )
    member = named[0] if named else next(iter(binding.special), "")
    condition = (
        f" if {' '.join(binding.condition.split())}" if binding.condition else ""
    )
    text = f"{binding.role} to {member}{condition}"
    return DeterminingStatement("allow-policy", binding.resource, text, "allow")


def _describe_denial(
    policy: GoogleDenyPolicy, place: str, number: int
) -> DeterminingStatement:
    """Describe a rule of a deny policy."""
    text = f"rule {number} on {place}" if number else f"rules not collected, on {place}"
    return DeterminingStatement("deny-policy", policy.name, text, "deny")


def denies_permission(rule: GoogleDenyRule, permission: str) -> bool:
    """Return whether a deny rule names a permission and does not except it.

    Source: https://docs.cloud.google.com/iam/docs/deny-permissions-support: groups of
    permissions as `SERVICE/*.*`, `SERVICE/RESOURCE.*` and `SERVICE/*.VERB`.
    """
    return _names_permission(rule.permissions, permission) and not _names_permission(
        rule.exception_permissions, permission
    )


def _names_permission(patterns: tuple[str, ...], permission: str) -> bool:
    """Return whether one of some patterns names a permission."""
    return any(fnmatchcase(permission, normalise_permission(each)) for each in patterns)


# Permissions that a boundary blocks, from the given enforcement version on. The page is
# longer; for a permission that is not listed here the answer stays open.
# https://docs.cloud.google.com/iam/docs/pab-blocked-permissions
_BLOCKED: tuple[tuple[int, tuple[str, ...]], ...] = (
    (
        2,
        (
            "accesscontextmanager.*",
            "beyondcorp.*",
            "bigquery.datasets.*",
            "bigquery.jobs.*",
            "bigquery.models.*",
            "bigquery.routines.*",
            "bigquery.rowAccessPolicies.*",
            "bigquery.tables.*",
            "bigquerydatapolicy.*",
            "bigquerydatatransfer.transfers.*",
            "containeranalysis.*",
        ),
    ),
)
_DEFAULT_VERSION = 4


def is_enforced(policy: GoogleAccessBoundary, permission: str) -> bool:
    """Return whether a boundary is known to block a permission outside its resources."""
    text = policy.version
    version = int(text) if text.isdigit() else _DEFAULT_VERSION
    return any(
        version >= first and any(fnmatchcase(permission, each) for each in patterns)
        for first, patterns in _BLOCKED
    )


def takes_permission(index: GoogleCloudIndex, permission: str, resource: str) -> bool:
    """Return whether resources of a service take a permission.

    A project, folder or organization holds resources of all services.
    """
    service = get_permission_service(resource)
    own = permission.partition(".")[0]
    if service == "resourcemanager":
        return True
    return service not in index.roles.services or own == service
