"""Look up the compiled principals, policies and resources of a snapshot's accounts."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.identity import Account
from answerable.model.ids import IdentityId, ResourceId
from answerable.model.inventory import DerivedTables
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.reach.aws.compiled.aws_protected_objects import find_aws_protection
from answerable.reach.aws.compiled.limiting_policies import (
    SERVICE_ROLE_PATH,
    LimitingLayer,
    RcpDenies,
)
from answerable.reach.aws.compiled.principal_element import get_principal_account
from answerable.reach.aws.compiled.principals import (
    FULL_ACCESS_STATEMENT,
    CompiledPrincipal,
)
from answerable.reach.aws.compiled.resources import (
    NO_ACCESS_POINT_KEYS,
    RequestedResource,
    ResourceLookup,
    look_up_requested_resource,
)
from answerable.reach.aws.compiled.service_facts import supports_rcps
from answerable.reach.aws.compiled.statements import CompiledStatement, PolicyStatement
from answerable.reach.aws.evaluation.context_keys import (
    NO_KEYS,
    ContextKeys,
    select_session_keys,
)
from answerable.reach.aws.evaluation.request import AwsRequest
from answerable.reach.aws.evaluation.resource_policies import (
    DenyingPolicies,
    ResourcePolicy,
    group_denying_policies,
    group_granting_policies,
)
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.aws.patterns.action_resource_matrix import (
    can_action_act_on_resource,
)

if TYPE_CHECKING:
    from answerable.reach.aws.compiled.statement_holder_index import (
        StatementHolderIndex,
    )


_MOST_PLACES, _MOST_CALLS = 1 << 17, 1 << 16


@dataclass(eq=False, slots=True)
class CompiledAccounts:
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
        code_by_identity: Resources by the identity that their code runs as.
        resources_by_kind: Resources by kind and account (`format_kind_key`).
        scp_levels: SCP levels by account; none for the management account.
        holders: Resource policies by ARN; trust policies are in `trusts`.
        public_access: Public-access blocks by bucket, access point or account.
        session: Session policy of the subject, if one is stated.
        endpoint: Policy of the VPC endpoint the call goes through, if one is stated.
    """

    catalogue: ActionCatalogue
    clauses: Sequence[CompiledStatement]
    principals: Mapping[IdentityId, CompiledPrincipal]
    trusts: Mapping[IdentityId, RoleTrust]
    groups: Mapping[str, tuple[PolicyStatement, ...]]
    accounts: Mapping[str, Account]
    resources: Mapping[ResourceId, Resource]
    tags_collected: bool
    given: ContextKeys = NO_KEYS
    written: Mapping[str, str] = field(default_factory=dict)
    by_service: Mapping[str, tuple[IdentityId, ...]] = field(default_factory=dict)
    by_named: Mapping[str, tuple[IdentityId, ...]] = field(default_factory=dict)
    by_provider: Mapping[str, tuple[IdentityId, ...]] = field(default_factory=dict)
    code_by_identity: Mapping[IdentityId, tuple[ResourceId, ...]] = field(
        default_factory=dict
    )
    resources_by_kind: Mapping[str, tuple[ResourceId, ...]] = field(
        default_factory=dict
    )
    scp_levels: Mapping[str, tuple[LimitingLayer, ...]] = field(default_factory=dict)
    rcps: Mapping[str, RcpDenies] = field(default_factory=dict)
    holders: Mapping[str, ResourcePolicy] = field(default_factory=dict)
    access_points: Mapping[ResourceId, Resource] = field(default_factory=dict)
    public_access: Mapping[str, PublicAccessBlock] = field(default_factory=dict)
    session: LimitingLayer | None = None
    endpoint: LimitingLayer | None = None
    tags_open: bool = False
    _calls: dict[tuple[str, str], AwsRequest | None] = field(
        init=False, default_factory=dict
    )
    _places: dict[str, RequestedResource] = field(default_factory=dict)
    _looked_up_in: ResourceLookup | None = field(init=False, default=None)
    _lasting: ContextKeys | None = None
    _accounts: frozenset[str] | None = None
    _open_roles: Sequence[IdentityId] | None = None
    _providers: Mapping[ResourceId, Resource] | None = field(init=False, default=None)
    _deniers: Mapping[str, tuple[DenyingPolicies, ...]] | None = None
    _granters: Mapping[str, tuple[ResourcePolicy, ...]] | None = None
    _denying: dict[str, tuple[ResourcePolicy, ...]] | None = None
    stored_holders: DerivedTables | None = None
    _takeover_resources: Sequence[Resource] | None = None
    _holding: "StatementHolderIndex | None" = None

    def with_stated_keys(self, stated_keys: ContextKeys) -> "CompiledAccounts":
        """Return a copy for a question that states condition keys."""
        return replace(self, given=stated_keys, _lasting=None)

    def build_lookup_tables(self) -> None:
        """Build all lookup tables ahead of the first question."""
        _ = (
            self.holder_index,
            self.denying_policies,
            self.granting_policies,
            self.collected_accounts,
            self._get_resource_lookup(),
        )

    def build_request(self, action: str, resource: str) -> AwsRequest:
        """Build the request of an action, with the known keys of its resource."""
        return self._build_request_with_keys(
            action, resource, self.given, self.endpoint
        )

    def get_cached_request(self, action: str, resource: str) -> AwsRequest | None:
        """Return the compiled call of action and resource; cached.

        Returns:
            The request, None where the action cannot act on the resource.
        """
        key = action, resource
        if key in self._calls:
            return self._calls[key]
        if len(self._calls) >= _MOST_CALLS:
            self._calls.clear()
        able = self.can_action_act_on_resource(action, resource)
        found = self._calls[key] = (
            self.build_request(action, resource) if able else None
        )
        return found

    def build_hop_request(
        self, action: str, resource: str, known_keys: ContextKeys = NO_KEYS
    ) -> AwsRequest:
        """Build the request of one hop, with the stated keys that hold for it.

        A stated endpoint policy limits the call asked about, not the hops.
        """
        return self._build_request_with_keys(
            action, resource, known_keys.merge_over(self.stated_session_keys), None
        )

    @property
    def stated_session_keys(self) -> ContextKeys:
        """Stated condition keys that hold for every call of a path."""
        if self._lasting is None:
            self._lasting = select_session_keys(self.given)
        return self._lasting

    def build_request_on_resource(
        self, request: AwsRequest, resource: str, known_keys: ContextKeys
    ) -> AwsRequest:
        """Build the same request on another resource, with more known keys."""
        stated = request.stated.merge_over(known_keys)
        return self._build_request_with_keys(
            request.action, resource, stated, request.endpoint
        )

    def list_statements_on_action(
        self, principal: CompiledPrincipal, action: str
    ) -> Iterator[PolicyStatement]:
        """List a principal's statements on an action, at all its policy layers."""
        found = principal.select_statements(action)
        yield from found.allows + found.bounds
        for _, allows in found.levels:
            yield from allows
        if found.session:
            yield from found.session[1]
        yield from found.every_deny

    def is_account_collected(self, account: str) -> bool:
        """Return whether a scan collected the identities of an account."""
        return bool(account) and account in self.collected_accounts

    @property
    def collected_accounts(self) -> frozenset[str]:
        """Accounts with identities known by more than their name.

        It holds an empty account if some identity has none.
        """
        if self._accounts is None:
            held = (one for one in self.principals.values() if one.collected)
            self._accounts = frozenset(one.identity.account for one in held)
        return self._accounts

    @property
    def externally_trusted_roles(self) -> Sequence[IdentityId]:
        """Roles that trust a principal outside the snapshot other than a service."""
        if self._open_roles is None:
            self._open_roles = list(self.list_external_principals_by_role())
        return self._open_roles

    def list_external_principals_by_role(self) -> dict[IdentityId, tuple[str, ...]]:
        """List the outsiders other than services that trust policies name, by role."""
        named = (
            (role, self._list_external_principals(trust))
            for role, trust in self.trusts.items()
        )
        return {role: found for role, found in named if found}

    def _list_external_principals(self, trust: RoleTrust) -> tuple[str, ...]:
        """List the outsiders other than services that a trust policy names."""
        return tuple(
            value
            for grant in trust.grants
            for kind, value in grant.clause.principals
            if kind != "Service"
            and not self.is_account_collected(get_principal_account(value))
            and value not in self.principals
        )

    def can_action_act_on_resource(self, action: str, resource: str) -> bool:
        """Return whether an action can act on this type of resource at all."""
        if find_aws_protection(action.lower(), resource) is not None:
            return False
        return can_action_act_on_resource(self.catalogue, action, resource)

    def look_up_resource(
        self, resource: str, *, is_pattern: bool = False
    ) -> RequestedResource:
        """Look up a resource's account, known condition keys and policy; cached."""
        if is_pattern:
            return look_up_requested_resource(
                self._get_resource_lookup(), resource, is_pattern=True
            )
        found = self._places.get(resource)
        if found is None:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            found = look_up_requested_resource(
                self._get_resource_lookup(), resource, is_pattern=False
            )
            self._places[resource] = found
        return found

    @property
    def denying_policies(self) -> Mapping[str, tuple[DenyingPolicies, ...]]:
        """Resource policies that may deny, by service, grouped by equal denies."""
        if self._deniers is None:
            self._deniers = group_denying_policies(self.holders.values())
        return self._deniers

    @property
    def granting_policies(self) -> Mapping[str, tuple[ResourcePolicy, ...]]:
        """Resource policies by the id, session (`ACCOUNT ROLE`) or `*` they name."""
        if self._granters is None:
            self._granters = group_granting_policies(self.holders.values())
        return self._granters

    @property
    def holder_index(self) -> "StatementHolderIndex":
        """Index of identities by the statements they hold."""
        if self._holding is None and self.stored_holders is not None:
            from answerable.reach.aws.compiled.statement_holder_tables import (
                StoredHolderIndex,
            )

            self._holding = StoredHolderIndex(
                self.stored_holders, self.clauses, FULL_ACCESS_STATEMENT
            )
        if self._holding is None:
            from answerable.reach.aws.compiled.statement_holder_index import (
                StatementHolderIndex,
            )

            self._holding = StatementHolderIndex(self.principals)
        return self._holding

    def list_denying_policies(self, action: str) -> tuple[ResourcePolicy, ...]:
        """List the resource policies that may deny an action in lower case."""
        if self._denying is None:
            held: dict[str, list[ResourcePolicy]] = defaultdict(list)
            for own in self.holders.values():
                if own.has_denies_or_unread_statements:
                    held[own.service].append(own)
            self._denying = {service: tuple(own) for service, own in held.items()}
        return self._denying.get(action.partition(":")[0], ())

    def _get_resource_lookup(self) -> ResourceLookup:
        """Return the tables for resource lookups, built on first use."""
        found = self._looked_up_in
        if found is None:
            found = self._looked_up_in = ResourceLookup(
                self.principals,
                self.accounts,
                self.resources,
                self.tags_collected,
                self.tags_open,
            )
        return found

    def _build_request_with_keys(
        self,
        action: str,
        resource: str,
        stated_keys: ContextKeys,
        endpoint: LimitingLayer | None,
    ) -> AwsRequest:
        """Build a request from stated keys and what is known of the resource."""
        wild = self._is_resource_pattern(action, resource)
        place = self.look_up_resource(resource, is_pattern=wild)
        folded = action.lower()
        fences: tuple[RcpDenies, ...] = ()
        linked = SERVICE_ROLE_PATH in resource  # nor do RCPs bind such a role's trust
        if self.rcps and supports_rcps(folded) and not linked:
            fences = self._list_rcps_on_resource(place.owner, is_pattern=wild)
        known = stated_keys.merge_over(place.known)
        if resource == "*" and not wild and folded.startswith("s3:"):
            known = known.merge_over(NO_ACCESS_POINT_KEYS)
        return AwsRequest(
            folded,
            resource,
            place.parts,
            known,
            wild=wild,
            owner=place.owner,
            rcps=fences,
            endpoint=endpoint,
            stated=stated_keys,
            holder=place.holder,
            access_point=place.access_point,
        )

    @property
    def saml_provider_targets(self) -> Mapping[ResourceId, Resource]:
        """Pairs of a SAML provider and a role that trusts it, as takeover targets."""
        if self._providers is None:
            from answerable.reach.aws.compiled.saml_providers import (
                pair_saml_providers_with_roles,
            )

            self._providers = pair_saml_providers_with_roles(
                self.by_provider, self.trusts
            )
        return self._providers

    def list_takeover_resources(self) -> Iterator[Resource]:
        """List the resources that a takeover rule may apply to."""
        if self._takeover_resources is None:
            yield from self.resources.values()
        else:
            yield from self._takeover_resources
        yield from self.saml_provider_targets.values()

    def _list_rcps_on_resource(
        self, owner: str, *, is_pattern: bool
    ) -> tuple[RcpDenies, ...]:
        """Return the RCPs that apply to a resource of an account."""
        if owner or not is_pattern:
            fence = self.rcps.get(owner)
            return (fence,) if fence else ()
        return tuple(self.rcps.values())

    def _is_resource_pattern(self, action: str, resource: str) -> bool:
        """Return whether a requested resource is a pattern, not a single resource."""
        if resource == "*":
            entry = self.catalogue.find_action(action)
            return entry is not None and not entry.takes_only_wildcard_resource
        return "*" in resource or "?" in resource
