"""Find the resources whose code a principal may take over, or that a rule changes."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from answerable.model.ids import IdentityId, ResourceId
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.resource_indexes import (
    format_kind_key,
    get_owner_account,
)
from answerable.reach.aws.compiled.saml_providers import (
    pair_role_with_saml_providers,
)

if TYPE_CHECKING:  # rules of paths are imported where a path is followed
    from answerable.reach.aws.escalation_rules.registry import TakeoverRule


class TakeoverResources:
    """Resources of compiled accounts that takeover and pass-role rules act on."""

    def __init__(self, accounts: CompiledAccounts) -> None:
        self._accounts = accounts
        self._code: dict[IdentityId, tuple[Resource, ...]] = {}
        self._shared: dict[TakeoverRule, tuple[ResourceId, ...]] = {}

    def with_compiled_accounts(self, accounts: CompiledAccounts) -> "TakeoverResources":
        """Return the same lookup for accounts whose resource policies are equal."""
        new = TakeoverResources(accounts)
        new._shared = self._shared
        return new

    def list_resources_of_kind(self, kind: str, account: str) -> tuple[ResourceId, ...]:
        """List an account's resources of one kind, such as functions."""
        return self._accounts.resources_by_kind.get(format_kind_key(kind, account), ())

    def list_identities_of_code(self) -> Collection[IdentityId]:
        """List the identities that some resource runs as."""
        pairs = self._accounts.saml_provider_targets.values()
        known = (*self._accounts.code_by_identity, *(pair.runs_as for pair in pairs))
        return sorted(set(known))

    def list_takeover_code(
        self, rule: "TakeoverRule", account: str, identity: IdentityId
    ) -> Sequence[ResourceId]:
        """List the code of an identity that an account's principals may take over.

        It is the account's own, and code whose policy may admit other accounts.
        """
        near: list[ResourceId] = []
        shared: list[ResourceId] = []
        for resource in self._list_code_of_identity(identity):
            if resource.kind != rule.kind:
                continue
            if get_owner_account(resource) == account:
                near.append(resource.id)
            elif self._may_policy_admit_others(rule, resource):
                shared.append(resource.id)
        return (*near, *shared)

    def list_cross_account_resources(
        self, rule: "TakeoverRule"
    ) -> tuple[ResourceId, ...]:
        """List resources whose policy may allow a takeover from other accounts."""
        if not self._shared:
            from answerable.reach.aws.escalation_rules.registry import TAKEOVER_RULES

            running: dict[str, list[Resource]] = defaultdict(list)
            accounts = self._accounts
            for one in chain.from_iterable(accounts.code_by_identity.values()):
                resource = accounts.resources[one]
                running[resource.kind].append(resource)
            for each in TAKEOVER_RULES:
                self._shared[each] = tuple(
                    resource.id
                    for resource in running[each.kind]
                    if self._may_policy_admit_others(each, resource)
                )
        return self._shared[rule]

    def _may_policy_admit_others(
        self, rule: "TakeoverRule", resource: Resource
    ) -> bool:
        """Return whether a resource's policy may allow the takeover action."""
        holder = self._accounts.holders.get(resource.id)
        return holder is not None and bool(
            holder.gaps or holder.select_statements(rule.needs[0].action.lower())
        )

    def _list_code_of_identity(self, identity: IdentityId) -> tuple[Resource, ...]:
        """List the resources that run as an identity, with its SAML providers."""
        found = self._code.get(identity)
        if found is None:
            accounts = self._accounts
            trust = accounts.trusts.get(identity)
            found = self._code[identity] = (
                *(
                    accounts.resources[one]
                    for one in accounts.code_by_identity.get(identity, ())
                ),
                *(pair_role_with_saml_providers(trust) if trust else ()),
            )
        return found
