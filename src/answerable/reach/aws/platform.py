"""AWS as a permission platform: format of ids and calls, and its evaluator."""

from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.reach.aws import call_parsing
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.compiled_graph import (
    AwsHost,
    collect_services_named_by_policies,
    list_services_named_by_policies,
    load_snapshot_summary,
)
from answerable.reach.aws.identity_resolution import (
    AWS,
    AWS_KEYS,
    is_aws_entity,
    resolve_identity,
)
from answerable.reach.aws.query_context import (
    QueryContext,
    build_query_context,
    can_follow_every_path,
    compile_snapshot,
    require_assume_role_paths,
)
from answerable.reach.aws.stated_context import (
    parse_stated_keys_and_policies,
    resolve_role_session,
)
from answerable.reach.platform import (
    Answer,
    AnswerList,
    AppliedEdit,
    ConditionContext,
    PageBounds,
    PathHop,
    PlatformScope,
    PolicyEdit,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

if TYPE_CHECKING:
    from answerable.reach.aws.permission_rows.row_types import RowFilter
    from answerable.reach.aws.what_if.edit_comparison import EditedGraph
    from answerable.reach.token_trust import Claims, TokenTrust

_OIDC_PROVIDER = ":oidc-provider/"


# A question imports only the modules that answer it.
@dataclass(frozen=True, slots=True)
class AwsEvaluator:
    """Permissions of the AWS accounts of one snapshot."""

    query: QueryContext

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        """Return an identity with the reason if its policies are not known."""
        facts = self.query.inventory.facts
        return resolve_identity(
            self.query.compiled_accounts, start, facts.identities_by_id
        )

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        """List the steps by which a token of an identity provider enters a role."""
        from answerable.reach.aws.external_caller_queries import build_role_entry_hop

        if identity not in self.query.compiled_accounts.trusts:
            return ()
        return [
            build_role_entry_hop(entry, identity)
            for entry in self.query.graph.list_external_role_entries(identity)
            if entry.kind == "Federated"
        ]

    def list_token_issuers(self) -> Sequence[str]:
        """List the issuers of OIDC tokens that role trust policies name."""
        providers = self.query.compiled_accounts.by_provider
        found = (each.partition(_OIDC_PROVIDER)[2] for each in providers)
        return [each for each in dict.fromkeys(found) if each]

    def has_trust_policy(self, identity: IdentityId) -> bool:
        """Return whether the trust policy of a role was collected."""
        from answerable.reach.aws import token_trusts

        return token_trusts.has_trust_policy(self.query.graph, identity)

    def list_token_trusts(self, issuer: str) -> "Iterable[TokenTrust]":
        """List the roles that trust an issuer, or a part of it below a path."""
        from answerable.reach.aws import token_trusts

        return token_trusts.list_token_trusts(self.query.graph, issuer)

    def list_token_entries(
        self, trust: "TokenTrust", claims: "Claims"
    ) -> Sequence[PathHop]:
        """List the steps by which a token with such claims enters a role."""
        from answerable.reach.aws import token_trusts

        return token_trusts.list_token_entries(self.query.graph, trust, claims)

    def list_service_trusts(self, service: str) -> Sequence[IdentityId]:
        """List the roles whose trust policies name a service."""
        return self.query.compiled_accounts.by_service.get(service, ())

    def list_service_entries(
        self, identity: IdentityId, service: str, keys: "Claims"
    ) -> Sequence[PathHop]:
        """List the steps by which a service that tags its sessions enters a role."""
        from answerable.reach.aws import token_trusts

        return token_trusts.list_service_entries(
            self.query.graph, identity, service, keys
        )

    def find_paths(
        self, starts: Sequence[SubjectIdentity], targets: Collection[IdentityId]
    ) -> Iterable[SubjectIdentity]:
        """Find the paths of identities to those of `targets` that they are or become."""
        from answerable.reach.aws.paths import identity_paths

        return identity_paths.find_paths(self.query.graph, starts, targets)

    def find_nearest_paths(
        self, targets: Collection[IdentityId], skipped: Container[str]
    ) -> Iterable[SubjectIdentity]:
        """Find one path of each identity and outside caller to any of `targets`."""
        from answerable.reach.aws.paths import identity_paths

        return identity_paths.find_nearest_paths(self.query.graph, targets, skipped)

    def continue_from(self, start: SubjectIdentity) -> SubjectIdentity:
        """Return the identity unchanged: it takes each step as itself."""
        return start

    def name_credential_source(self, account: str) -> str:
        """Name the scan source that tells whose an access key is."""
        accounts = self.query.compiled_accounts
        return (
            AWS_KEYS if not account or accounts.is_account_collected(account) else AWS
        )

    def evaluate(self, question: Question) -> Answer:
        """Evaluate one call for some identities, with proof and assumptions."""
        from answerable.reach.aws import permission_check

        return permission_check.evaluate_call(self.query, question)

    def list_permissions(self, question: Question, page: PageBounds) -> AnswerList:
        """List what some identities can do, themselves and as others."""
        from answerable.reach.aws import permission_lists

        return permission_lists.list_identity_permissions(self.query, question, page)

    def list_callers(self, question: Question, page: PageBounds) -> AnswerList:
        """List all callers that can make one call."""
        from answerable.reach.aws import permission_lists

        return permission_lists.list_callers_of_call(self.query, question, page)

    def describe_scope(self) -> PlatformScope:
        """Describe the collected identities and accounts."""
        summary = load_snapshot_summary(self.query.inventory, self.query.graph)
        accounts = self.query.compiled_accounts.collected_accounts - {""}
        return PlatformScope(
            summary.collected, tuple(sorted(accounts)), summary.unknown, AWS
        )


@dataclass(frozen=True, slots=True)
class AwsPlatform:
    """AWS Identity and Access Management, with Organizations and resource policies."""

    host: AwsHost
    name: str = AWS
    kinds: tuple[str, ...] = (AWS,)

    def owns(self, key: str) -> bool:
        """Return whether an id is an ARN, an AWS account number or an outside caller."""
        return is_aws_entity(key) or parse_caller(key, {}) is not None

    def parse_call(
        self, inventory: Inventory, action: str, resource: str
    ) -> tuple[str, str]:
        """Parse an action of the catalogue, and an ARN or a known resource's name."""
        return call_parsing.parse_call(
            inventory, self.host.load_catalogue, action, resource
        )

    def parse_filter(
        self, inventory: Inventory, action: str, resource: str
    ) -> "RowFilter":
        """Parse the action and resource globs of a list.

        Raises:
            UsageError: No action or no resource can match.
        """
        return call_parsing.parse_permission_filter(
            inventory, self.host.load_catalogue, action, resource
        )

    def suggest_actions(self, prefix: str) -> Iterable[tuple[str, str]]:
        """Suggest services first, then the actions of the named service."""
        return call_parsing.suggest_services_or_actions(
            self.host.load_catalogue, prefix
        )

    def parse_session(
        self, inventory: Inventory, subject: str, context: ConditionContext
    ) -> tuple[str, ConditionContext]:
        """Resolve a role session to its role, and state the session name."""
        return resolve_role_session(inventory.facts, subject, context)

    def find_external(self, inventory: Inventory, text: str) -> str | None:
        """Find a caller outside the scanned accounts: anyone, a service, an ARN."""
        caller = parse_caller(text, {})
        if caller is None:
            return None
        accounts = inventory.get_or_compute_value(
            "accounts of identities", _list_accounts_with_listed_identities
        )
        # A role that an audit log or a configuration names may have been deleted.
        named = inventory.get_or_compute_value(
            "identities by name alone", _list_subjects_named_by_sources
        )
        return None if caller.account in accounts and text not in named else text

    def open(self, inventory: Inventory, question: Question) -> AwsEvaluator:
        """Compile the policies that a question needs, or reuse compiled ones."""
        return AwsEvaluator(self.build_permission_query(inventory, question))

    def build_permission_query(
        self,
        inventory: Inventory,
        question: Question,
        services: Iterable[str] | None = None,
        *,
        compile_all: bool = False,
    ) -> QueryContext:
        """Compile the policies that a question needs.

        Args:
            services: Services whose actions the catalogue must know; None for those of
                the action, or of all policies.
            compile_all: Compile every statement, for an edit or for all identities.
        """
        service = question.action.partition(":")[0]
        if services is None and not set("*?") & set(service):
            services = {service}
        return build_query_context(
            self.host,
            inventory,
            services,
            parse_stated_keys_and_policies(inventory.facts, question),
            question.now,
            direct=question.direct,
            compile_all=compile_all,
        )

    def open_edit(
        self, inventory: Inventory, question: Question, edit: PolicyEdit
    ) -> AppliedEdit:
        """Apply an edit of policies, and update the compiled graph for it.

        With too many identities to follow every path, statements are removed for one
        subject, and only its own permissions are compared.
        """
        from answerable.reach.aws.what_if.edit_application import (
            apply_policy_edit_to_facts,
        )

        follows = can_follow_every_path(self.host, inventory)
        services = list_services_named_by_policies(inventory)
        is_whole = bool(edit.file) or not question.subject
        if is_whole and not follows:  # refused before all policies are read
            require_assume_role_paths(
                self.build_permission_query(inventory, question, services)
            )
        facts = None
        if follows or is_whole:
            facts = apply_policy_edit_to_facts(
                self.host, inventory.facts, edit, question.subject, question.now
            )
        if edit.file and facts:
            services |= collect_services_named_by_policies(facts)
        query = self.build_permission_query(
            inventory, question, services, compile_all=follows
        )
        if query.cut and question.subject and not edit.file:
            from answerable.reach.aws.what_if.subject_edit import open_subject_edit

            lone = open_subject_edit(query, edit)
            return AppliedEdit(
                AwsEvaluator(lone.asked),
                AwsEvaluator(lone.after),
                lone.list_permission_changes,
            )
        require_assume_role_paths(query)
        from answerable.reach.aws.what_if.edit_comparison import apply_graph_edit

        assert facts is not None  # noqa: S101 - of a small snapshot
        return build_policy_edit_from_graphs(apply_graph_edit(query, facts))

    def open_comparison(
        self, before: Inventory, after: Inventory, question: Question
    ) -> AppliedEdit:
        """Compare two snapshots as if one were an edit of the other."""
        from answerable.reach.aws.what_if.edit_comparison import compare_snapshots

        for side in (before, after):
            if not can_follow_every_path(self.host, side):
                require_assume_role_paths(self.build_permission_query(side, question))
        services = list_services_named_by_policies(before)
        services |= list_services_named_by_policies(after)
        query = self.build_permission_query(
            before, question, services, compile_all=True
        )
        require_assume_role_paths(query)
        return build_policy_edit_from_graphs(compare_snapshots(query, after, services))

    def compile_snapshot(self, inventory: Inventory, before: Inventory | None) -> None:
        """Compile a snapshot once for all questions of a server."""
        compile_snapshot(self.host, inventory, before)


def build_policy_edit_from_graphs(edited: "EditedGraph") -> AppliedEdit:
    """Wrap the graphs before and after a policy edit as an applied edit."""
    return AppliedEdit(
        AwsEvaluator(edited.asked),
        AwsEvaluator(edited.after),
        edited.list_permission_changes,
    )


def _list_subjects_named_by_sources(inventory: Inventory) -> frozenset[str]:
    """List the subjects that sources name, in scanned accounts or not."""
    agents, credentials = inventory.agents.values(), inventory.credentials.values()
    return frozenset(inventory.owners).union(
        (each.identity for each in credentials if each.identity),
        *(each.identities for each in agents),
    )


def _list_accounts_with_listed_identities(inventory: Inventory) -> frozenset[str]:
    """List the accounts whose identities were listed."""
    attached = inventory.facts.attachments_by_target()
    listed = (
        each
        for each in inventory.facts.iterate_identities()
        if each.unique_id or each.id in attached
    )
    return frozenset(each.account for each in listed)
