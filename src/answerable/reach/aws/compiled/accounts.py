"""Compiled accounts: policies, principals and resources, compiled once per snapshot."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.action_catalogue import Catalogue
from answerable.model.identity import Account, Identity
from answerable.model.ids import IdentityId, ResourceId
from answerable.model.policy import Layer, Policy
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.model.sighting import Facts
from answerable.reach.aws.compiled.attachments import Builder
from answerable.reach.aws.compiled.compile_parts import (
    controls_over,
    fences_over,
    holders_of,
    make_principal,
    make_trust,
    paths_over,
    stated,
)
from answerable.reach.aws.compiled.holder_index import Holding
from answerable.reach.aws.compiled.organization_policies import (
    SERVICE_ROLES,
    Fence,
    Limit,
)
from answerable.reach.aws.compiled.principal_element import account_of
from answerable.reach.aws.compiled.principals import Principal, is_role
from answerable.reach.aws.compiled.protected_objects import protection
from answerable.reach.aws.compiled.resources import NO_DOOR, Land, Place, place_of
from answerable.reach.aws.compiled.saml_providers import trusting_pairs
from answerable.reach.aws.compiled.service_facts import binds_rcps
from answerable.reach.aws.compiled.statements import Clause, Grant
from answerable.reach.aws.compiled.trust_index import (
    indexed,
    named_of,
    providers_of,
    services_of,
)
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known, lasting
from answerable.reach.aws.evaluation.request import Request
from answerable.reach.aws.evaluation.resource_policies import (
    Denier,
    ResourcePolicy,
    deniers_of,
    granters_of,
)
from answerable.reach.aws.evaluation.trust import Trust
from answerable.reach.aws.patterns.action_resource_matrix import possible

_MOST_PLACES, _MOST_CALLS = 1 << 17, 1 << 16


@dataclass(eq=False, slots=True)
class Estate:
    """Accounts of a snapshot, compiled for evaluation.

    Attributes:
        catalogue: Actions and resource types, as far as loaded.
        clauses: By number.
        trusts: Trust policies of all roles, collected or not.
        groups: Statements of each group's policies.
        tags_collected: Whether resource tags were read, so that a missing one is absent.
        tags_open: Whether resource tags are left open, as if they had not been read.
        given: Condition keys that the question states.
        written: Action patterns as written, by inner form.
        by_service: Roles by the services that their trust policies name.
        by_named: Roles by the ARNs, accounts or `*` that their trust policies name.
        by_provider: Roles by the identity providers that their trust policies name.
        controls: SCP levels by account; none for the management account.
        holders: Resource policies by ARN; trust policies are in `trusts`.
        public_access: Public-access blocks by bucket, access point or account.
        session: Session policy of the subject, if one is stated.
        endpoint: Policy of the VPC endpoint the call goes through, if one is stated.
    """

    catalogue: Catalogue
    clauses: Sequence[Clause]
    principals: Mapping[IdentityId, Principal]
    trusts: Mapping[IdentityId, Trust]
    groups: Mapping[str, tuple[Grant, ...]]
    accounts: Mapping[str, Account]
    resources: Mapping[ResourceId, Resource]
    tags_collected: bool
    given: Known = NOTHING
    written: Mapping[str, str] = field(default_factory=dict)
    by_service: Mapping[str, tuple[IdentityId, ...]] = field(default_factory=dict)
    by_named: Mapping[str, tuple[IdentityId, ...]] = field(default_factory=dict)
    by_provider: Mapping[str, tuple[IdentityId, ...]] = field(default_factory=dict)
    controls: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)
    fences: Mapping[str, Fence] = field(default_factory=dict)
    holders: Mapping[str, ResourcePolicy] = field(default_factory=dict)
    doors: Mapping[ResourceId, Resource] = field(default_factory=dict)
    public_access: Mapping[str, PublicAccessBlock] = field(default_factory=dict)
    session: Limit | None = None
    endpoint: Limit | None = None
    tags_open: bool = False
    _calls: dict[tuple[str, str], Request | None] = field(
        init=False, default_factory=dict
    )
    _places: dict[str, Place] = field(default_factory=dict)
    _looked_up_in: Land | None = field(init=False, default=None)
    _lasting: Known | None = None
    _accounts: frozenset[str] | None = None
    _open_roles: Sequence[IdentityId] | None = None
    _providers: Mapping[ResourceId, Resource] | None = field(init=False, default=None)
    _deniers: Mapping[str, tuple[Denier, ...]] | None = None
    _granters: Mapping[str, tuple[ResourcePolicy, ...]] | None = None
    _denying: dict[str, tuple[ResourcePolicy, ...]] | None = None
    _holding: Holding | None = None

    def stating(self, given: Known) -> "Estate":
        """Return a copy for a question that states condition keys."""
        return replace(self, given=given, _lasting=None)

    def prepare(self) -> None:
        """Build the lookup tables ahead of the first question."""
        _ = self.holding, self.deniers, self.granters, self.inhabited, self._land()

    def call(self, action: str, resource: str) -> Request:
        """Build a request with the known keys of its resource."""
        return self._request(action, resource, self.given, self.endpoint)

    def asked(self, action: str, resource: str) -> Request | None:
        """Return a request, cached for all principals it is evaluated for.

        Returns:
            The request, None where the action cannot act on the resource.
        """
        key = action, resource
        if key in self._calls:
            return self._calls[key]
        if len(self._calls) >= _MOST_CALLS:
            self._calls.clear()
        able = self.possible(action, resource)
        found = self._calls[key] = self.call(action, resource) if able else None
        return found

    def hop(self, action: str, resource: str, known: Known = NOTHING) -> Request:
        """Build the request of a hop, with the stated keys that hold for a session.

        A stated endpoint policy limits the call asked about, not the hops.
        """
        if self._lasting is None:
            self._lasting = lasting(self.given)
        return self._request(action, resource, known.over(self._lasting), None)

    def elsewhere(self, call: Request, resource: str, known: Known) -> Request:
        """Build the same call on another resource, with more known keys."""
        stated = call.stated.over(known)
        return self._request(call.action, resource, stated, call.endpoint)

    def speaking(self, principal: Principal, action: str) -> Iterator[Grant]:
        """List the statements on an action at the layers of a principal."""
        found = principal.matching(action)
        yield from found.allows + found.bounds
        for _, allows in found.levels:
            yield from allows
        if found.session:
            yield from found.session[1]
        yield from found.every_deny

    def is_collected(self, account: str) -> bool:
        """Tell whether identities of an account were collected."""
        return bool(account) and account in self.inhabited

    @property
    def inhabited(self) -> frozenset[str]:
        """Accounts with identities known by more than their name.

        It holds an empty account if some identity has none.
        """
        if self._accounts is None:
            held = (one for one in self.principals.values() if one.collected)
            self._accounts = frozenset(one.identity.account for one in held)
        return self._accounts

    @property
    def open_roles(self) -> Sequence[IdentityId]:
        """Roles that trust a principal outside the snapshot other than a service."""
        if self._open_roles is None:
            self._open_roles = [
                role for role, trust in self.trusts.items() if self._is_open(trust)
            ]
        return self._open_roles

    def _is_open(self, trust: Trust) -> bool:
        return any(
            kind != "Service"
            and not self.is_collected(account_of(value))
            and value not in self.principals
            for grant in trust.grants
            for kind, value in grant.clause.principals
        )

    def possible(self, action: str, resource: str) -> bool:
        """Tell whether an action can act on a resource at all."""
        if protection(action.lower(), resource) is not None:
            return False
        return possible(self.catalogue, action, resource)

    def place(self, resource: str, *, wild: bool = False) -> Place:
        """Look up a resource: account, known keys and policy holder."""
        if wild:
            return place_of(self._land(), resource, wild=True)
        found = self._places.get(resource)
        if found is None:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            found = place_of(self._land(), resource, wild=False)
            self._places[resource] = found
        return found

    @property
    def deniers(self) -> Mapping[str, tuple[Denier, ...]]:
        """Resource policies that may deny, by service, grouped by equal denies."""
        if self._deniers is None:
            self._deniers = deniers_of(self.holders.values())
        return self._deniers

    @property
    def granters(self) -> Mapping[str, tuple[ResourcePolicy, ...]]:
        """Resource policies by the id, session (`ACCOUNT ROLE`) or `*` they name."""
        if self._granters is None:
            self._granters = granters_of(self.holders.values())
        return self._granters

    @property
    def holding(self) -> Holding:
        """Index of identities by the statements they hold."""
        if self._holding is None:
            self._holding = Holding(self.principals)
        return self._holding

    def denying(self, action: str) -> tuple[ResourcePolicy, ...]:
        """List the resource policies that may deny an action in lower case."""
        if self._denying is None:
            held: dict[str, list[ResourcePolicy]] = defaultdict(list)
            for own in self.holders.values():
                if own.may_deny:
                    held[own.service].append(own)
            self._denying = {service: tuple(own) for service, own in held.items()}
        return self._denying.get(action.partition(":")[0], ())

    def _land(self) -> Land:
        found = self._looked_up_in
        if found is None:
            found = self._looked_up_in = Land(
                self.principals,
                self.accounts,
                self.resources,
                self.tags_collected,
                self.tags_open,
            )
        return found

    def _request(
        self, action: str, resource: str, stated: Known, endpoint: Limit | None
    ) -> Request:
        wild = self._is_wild(action, resource)
        place = self.place(resource, wild=wild)
        folded = action.lower()
        fences: tuple[Fence, ...] = ()
        linked = SERVICE_ROLES in resource  # nor do RCPs bind such a role's trust
        if self.fences and binds_rcps(folded) and not linked:
            fences = self._fences(place.owner, wild=wild)
        known = stated.over(place.known)
        if resource == "*" and not wild and folded.startswith("s3:"):
            known = known.over(NO_DOOR)
        return Request(
            folded,
            resource,
            place.parts,
            known,
            wild,
            place.owner,
            fences,
            endpoint,
            stated,
            place.holder,
            place.door,
        )

    @property
    def providers(self) -> Mapping[ResourceId, Resource]:
        """Pairs of a SAML provider and a role that trusts it, as takeover targets."""
        if self._providers is None:
            self._providers = trusting_pairs(self.by_provider, self.trusts)
        return self._providers

    def running(self) -> Iterator[Resource]:
        """List the resources that a takeover rule may apply to."""
        yield from self.resources.values()
        yield from self.providers.values()

    def runs_as(self, resource: ResourceId) -> IdentityId:
        """Return the identity that a takeover of a resource leads to, or empty."""
        found = self.resources.get(resource) or self.providers.get(resource)
        return found.runs_as if found else IdentityId("")

    def _fences(self, owner: str, *, wild: bool) -> tuple[Fence, ...]:
        if owner or not wild:
            fence = self.fences.get(owner)
            return (fence,) if fence else ()
        return tuple(self.fences.values())

    def _is_wild(self, action: str, resource: str) -> bool:
        if resource == "*":
            entry = self.catalogue.action(action)
            return entry is not None and not entry.wildcard_only
        return "*" in resource or "?" in resource


def compile_estate(
    facts: Facts,
    catalogue: Catalogue,
    *,
    given: Known = NOTHING,
    tags_collected: bool = False,
    session: Policy | None = None,
    endpoint: Policy | None = None,
) -> Estate:
    """Compile facts."""
    builder = Builder(facts)
    attached = {(a.target, a.layer, a.policy, a.via): a for a in facts.attachments}
    for key in sorted(attached):
        builder.add(attached[key])
    accounts = {account.id: account for account in facts.accounts}
    identities = sorted(
        (i for i in facts.identities if _is_aws(i)), key=lambda one: one.id
    )
    resources = {resource.id: resource for resource in facts.resources}
    holders = holders_of(builder, resources)
    paths = paths_over(accounts, identities, holders)
    controls, fences = controls_over(builder, paths), fences_over(builder, paths)
    trusts = {i.id: make_trust(i, builder, fences) for i in identities if is_role(i)}
    principals = {
        i.id: make_principal(i, builder, accounts, controls, trusts.get(i.id))
        for i in identities
    }
    of_session = stated(builder, session, Layer.SESSION)
    of_endpoint = stated(builder, endpoint, Layer.ENDPOINT)
    return Estate(
        catalogue=catalogue,
        clauses=tuple(builder.interner.clauses),
        principals=principals,
        trusts=trusts,
        groups={name: tuple(grants) for name, grants in sorted(builder.groups.items())},
        accounts=accounts,
        resources=resources,
        tags_collected=tags_collected,
        given=given,
        written=builder.interner.written,
        by_service=indexed(services_of(trusts.values())),
        by_named=indexed(named_of(trusts.values())),
        by_provider=indexed(providers_of(trusts.values())),
        controls=controls,
        fences=fences,
        holders=holders,
        doors={i: r for i, r in resources.items() if r.kind == "s3:accesspoint"},
        public_access={block.target: block for block in facts.public_access},
        session=of_session,
        endpoint=of_endpoint,
    )


def _is_aws(identity: Identity) -> bool:
    return identity.kind.startswith("aws") or identity.id.startswith("arn:")
