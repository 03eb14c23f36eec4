"""Prove by evaluation what replacing the bindings of a service account changes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from answerable.model.google_cloud_ids import normalise_principal
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.policy_export import ExportedPolicy
from answerable.reach.condition_formula import Verdict
from answerable.reach.gcp.catalogue import (
    GoogleAllowPolicy,
    GoogleBinding,
    GoogleCloudEstate,
    GoogleRole,
)
from answerable.reach.gcp.estate_access import EstateAccess
from answerable.reach.gcp.evaluator import PLATFORM, GcpEvaluator, build_access
from answerable.reach.platform import Question, SubjectIdentity
from answerable.services.reach.platform_registry import GCP, load_google_roles
from answerable.services.reach.replaced_policies import (
    FAILS,
    HOLDS,
    NOT_KNOWN,
    ReachProof,
)

_RANK = {Verdict.NEVER: 0, Verdict.NOT_KNOWN: 1, Verdict.ONLY_IF: 2, Verdict.ALWAYS: 3}
_MAX_DETAILS = 20
_PLACEHOLDER = "projects/PROJECT/"  # in exported roles
GoogleCall = tuple[str, str]  # permission, full resource name


class _ExportedRole(msgspec.Struct, rename="camel"):
    role_id: str
    included_permissions: list[str]


class _ExportedCondition(msgspec.Struct):
    expression: str = ""


class _ExportedBinding(msgspec.Struct):
    role: str
    condition: _ExportedCondition = msgspec.field(default_factory=_ExportedCondition)


class _ExportedRoles(msgspec.Struct):
    roles: list[_ExportedRole]
    bindings: list[_ExportedBinding]


@dataclass(frozen=True, slots=True)
class ReplacedBindings:
    """Permissions of a service account before and after its bindings are replaced.

    Attributes:
        identity: Its address.
        project: Full resource name of its project.
        before: Access of today.
        after: Access with the exported roles in place of its own bindings.
    """

    identity: str
    project: str
    before: GcpEvaluator
    after: GcpEvaluator
    exported: _ExportedRoles
    now: int

    @classmethod
    def build(
        cls, inventory: Inventory, identity: str, policy: ExportedPolicy, now: int
    ) -> "ReplacedBindings":
        """Evaluate the estate with exported roles in place of the own bindings."""
        access = GCP.get_access(inventory)
        project = find_project(access, identity)
        text = policy.documents[0].text.replace(
            _PLACEHOLDER, f"{project.partition('.com/')[2]}/"
        )
        exported = msgspec.json.decode(text, type=_ExportedRoles)
        edited = _edit_catalogues(
            inventory.facts.select_catalogues(PLATFORM), identity, project, exported
        )
        after = build_access(edited, load_google_roles)
        return cls(
            identity, project, GcpEvaluator(access), GcpEvaluator(after), exported, now
        )

    def prove_subset(self, calls: Iterable[GoogleCall]) -> ReachProof:
        """Prove that the new bindings give nothing that today's do not.

        A binding without a condition is compared on the whole project, one with a
        condition on each object that it names.
        """
        named = set(calls)
        gained, undecided = [], []
        for binding in self.exported.bindings:
            for permission in self._list_permissions(binding):
                places = [self.project]
                if binding.condition.expression:
                    places = sorted(r for p, r in named if p == permission)
                for place in places:
                    verdict = evaluate_directly(
                        self.before, self.identity, (permission, place), self.now
                    )
                    text = f"{permission} on {place}: {verdict.value} before"
                    if verdict is Verdict.NOT_KNOWN:
                        undecided.append(text)
                    elif verdict is not Verdict.ALWAYS:
                        gained.append(text)
        return _build_proof(gained, undecided)

    def _list_permissions(self, binding: _ExportedBinding) -> Iterator[str]:
        """Yield the permissions of a binding's role."""
        label = binding.role.rpartition("/")[2]
        for role in self.exported.roles:
            if role.role_id == label:
                yield from role.included_permissions

    def list_exported_permissions(self) -> frozenset[str]:
        """List the permissions of the exported roles."""
        roles = self.exported.roles
        return frozenset(name for role in roles for name in role.included_permissions)

    def prove_observed(self, calls: Iterable[GoogleCall]) -> ReachProof:
        """Prove that each observed call is allowed as it is today."""
        lost, undecided = [], []
        for call in calls:
            was, will = (
                evaluate_directly(side, self.identity, call, self.now)
                for side in (self.before, self.after)
            )
            text = f"{call[0]} on {call[1]}"
            if Verdict.NOT_KNOWN in (was, will):
                undecided.append(text)
            elif _RANK[will] < _RANK[was]:
                lost.append(text)
        return _build_proof(lost, undecided)


def find_project(access: EstateAccess, identity: str) -> str:
    """Find the project of a service account, as a full resource name."""
    index = access.index
    return index.tree.get_project(index.get_account_resource(identity))


def evaluate_directly(
    evaluator: GcpEvaluator, identity: str, call: GoogleCall, now: int
) -> Verdict:
    """Evaluate a call of a principal itself, without steps to others."""
    start = SubjectIdentity(identity, IdentityId(identity))
    permission, resource = call
    question = Question(
        now, identity, permission, resource, direct=True, identities=(start,)
    )
    return evaluator.evaluate(question).verdict


def _build_proof(against: Sequence[str], undecided: Sequence[str]) -> ReachProof:
    """Build a proof from the calls against it and those without an answer."""
    if against:
        return ReachProof(FAILS, tuple(against[:_MAX_DETAILS]))
    verdict = NOT_KNOWN if undecided else HOLDS
    return ReachProof(verdict, tuple(undecided[:_MAX_DETAILS]))


def _edit_catalogues(
    catalogues: Iterable[PlatformCatalogue],
    identity: str,
    project: str,
    exported: _ExportedRoles,
) -> Iterator[PlatformCatalogue]:
    """Yield the catalogues without the account's own bindings, with the new ones."""
    added: tuple[GoogleAllowPolicy, ...] = (
        GoogleAllowPolicy(
            project,
            tuple(
                GoogleBinding(each.role, (identity,), each.condition.expression)
                for each in exported.bindings
            ),
        ),
    )
    permissions = {each.role_id: each.included_permissions for each in exported.roles}
    roles = tuple(
        GoogleRole(each.role, tuple(permissions[each.role.rpartition("/")[2]]))
        for each in exported.bindings
    )
    for catalogue in catalogues:
        estate = msgspec.json.decode(catalogue.body, type=GoogleCloudEstate)
        edited = replace(
            estate,
            roles=(*estate.roles, *roles),
            policies=(
                *(_remove_member(each, identity) for each in estate.policies),
                *added,
            ),
        )
        yield replace(catalogue, body=msgspec.json.encode(edited).decode())
        added, roles = (), ()


def _remove_member(policy: GoogleAllowPolicy, identity: str) -> GoogleAllowPolicy:
    """Return an allow policy that does not name a principal."""
    bindings = (
        replace(
            each,
            members=tuple(
                m for m in each.members if normalise_principal(m) != identity
            ),
        )
        for each in policy.bindings
    )
    return replace(policy, bindings=tuple(each for each in bindings if each.members))
