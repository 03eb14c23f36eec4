"""Compile a snapshot's identities and policies into accounts ready for evaluation."""

from collections.abc import Iterable

from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.identity import Identity
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.attachments import AttachmentCompiler
from answerable.reach.aws.compiled.policy_compiler import (
    compile_principal,
    compile_rcps_by_account,
    compile_resource_policies,
    compile_scps_by_account,
    compile_stated_policy,
    compile_trust_policy,
    list_organization_paths,
)
from answerable.reach.aws.compiled.principals import is_role
from answerable.reach.aws.compiled.resource_indexes import (
    index_resources_by_code_identity,
    index_resources_by_kind,
)
from answerable.reach.aws.compiled.statement_interning import StatementNumbers
from answerable.reach.aws.compiled.trust_index import (
    index_roles_by_trusted_key,
    list_trusted_identity_providers,
    list_trusted_principals,
    list_trusted_services,
)
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys


def compile_accounts(
    facts: SightedFacts,
    catalogue: ActionCatalogue,
    *,
    stated_keys: ContextKeys = NO_KEYS,
    tags_collected: bool = False,
    session: Policy | None = None,
    endpoint: Policy | None = None,
    numbers: StatementNumbers | None = None,
) -> CompiledAccounts:
    """Compile the facts of a snapshot into accounts ready for evaluation.

    Args:
        numbers: Of the statements of earlier parts, if the facts are one part of a
            snapshot.
    """
    if numbers is not None:
        numbers.begin_part({each.account for each in facts.identities})
    builder = AttachmentCompiler(facts, numbers)
    for attachment in _sort_attachments(facts.attachments):
        builder.compile_attached_policy(attachment)
    accounts = {account.id: account for account in facts.accounts}
    identities = sorted(
        (i for i in facts.identities if _is_aws_identity(i)), key=lambda one: one.id
    )
    resources = {resource.id: resource for resource in facts.resources}
    holders = compile_resource_policies(builder, resources)
    paths = list_organization_paths(accounts, identities, holders)
    controls, fences = (
        compile_scps_by_account(builder, paths),
        compile_rcps_by_account(builder, paths),
    )
    trusts = {
        i.id: compile_trust_policy(i, builder, fences) for i in identities if is_role(i)
    }
    principals = {
        i.id: compile_principal(i, builder, accounts, controls, trusts.get(i.id))
        for i in identities
    }
    of_session = compile_stated_policy(builder, session, PolicyLayer.SESSION)
    of_endpoint = compile_stated_policy(builder, endpoint, PolicyLayer.ENDPOINT)
    return CompiledAccounts(
        catalogue=catalogue,
        clauses=tuple(builder.interner.clauses),
        principals=principals,
        trusts=trusts,
        groups={name: tuple(grants) for name, grants in sorted(builder.groups.items())},
        accounts=accounts,
        resources=resources,
        tags_collected=tags_collected,
        given=stated_keys,
        written=builder.interner.written,
        by_service=index_roles_by_trusted_key(list_trusted_services(trusts.values())),
        by_named=index_roles_by_trusted_key(list_trusted_principals(trusts.values())),
        by_provider=index_roles_by_trusted_key(
            list_trusted_identity_providers(trusts.values())
        ),
        code_by_identity=index_resources_by_code_identity(resources.values()),
        resources_by_kind=index_resources_by_kind(resources.values()),
        scp_levels=controls,
        rcps=fences,
        holders=holders,
        access_points={
            i: r for i, r in resources.items() if r.kind == "s3:accesspoint"
        },
        public_access={block.target: block for block in facts.public_access},
        session=of_session,
        endpoint=of_endpoint,
    )


def _sort_attachments(
    attachments: Iterable[PolicyAttachment],
) -> list[PolicyAttachment]:
    """Sort attachments by target, layer, policy and group; each is listed once."""
    by_key = {(a.target, a.layer, a.policy, a.via): a for a in attachments}
    return [by_key[key] for key in sorted(by_key)]


def _is_aws_identity(identity: Identity) -> bool:
    """Return whether an identity is an AWS identity, by its kind or its ARN."""
    return identity.kind.startswith("aws") or identity.id.startswith("arn:")
