"""Reference escalation rules: PassRole, takeover and creation, by brute force."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.reach.aws.escalation_rules.registry import (
    CREATION_RULES,
    NEW_NAME,
    PASS_ROLE_RULES,
    TAKEOVER_RULES,
    CreationRule,
    EditTarget,
    PassRoleRule,
    RequiredPermission,
)
from tests.reference.reach.facts import (
    Subject,
    World,
    find_owner,
    is_role,
    list_statements,
)
from tests.reference.reach.keys import known_keys
from tests.reference.reach.path_calls import (
    ASSUME,
    best_verdict,
    evaluate_assume_role,
    evaluate_call,
    evaluate_needs,
    evaluate_needs_on_existing,
    is_action_named,
    list_new_names,
    list_resources,
    weakest_verdict,
    world_with_keys,
    world_with_trust,
)
from tests.reference.reach.situation import Situation, get_verdict
from tests.reference.reach.statements import conditions_hold, takes_action

PASS_ROLE = "iam:PassRole"
# Its trust policies name it as a web identity provider. Source: Amazon Cognito Developer
# Guide, "IAM roles", "Setting up a trust policy".
COGNITO = "cognito-identity.amazonaws.com"


def list_pass_role_steps(world: World, who: Subject) -> Iterator[tuple[str, str]]:
    """Pass a role to a service of the same account and have it run something."""
    mine = who.identity
    for role in world.facts.identities:
        if is_role(role) and role.account == mine.account and role.id != mine.id:
            for launch in PASS_ROLE_RULES:
                yield role.id, evaluate_launch(world, who, role, launch)


def evaluate_launch(
    world: World, who: Subject, role: Identity, launch: PassRoleRule
) -> str:
    """The verdict for one launch under one role."""
    held = weakest_verdict(
        trusts_service(world, role, launch.service),
        evaluate_pass_role(world, who, role.id, launch.service),
    )
    if held == "never":
        return held
    held = weakest_verdict(held, evaluate_external_event(launch))
    if launch.changed_resource_kind:
        return weakest_verdict(
            held,
            evaluate_needs_on_existing(
                world, who, launch.needs, launch.changed_resource_kind
            ),
        )
    return weakest_verdict(held, evaluate_needs(world, who, launch.needs))


def evaluate_external_event(launch: PassRoleRule) -> str:
    """The verdict for what a launch needs besides and no snapshot shows.

    Source: ECS API Reference, RunTask, `cluster`: "the default cluster is assumed",
    which CreateCluster makes.
    """
    return "only-if" if launch.precondition else "always"


def evaluate_pass_role(world: World, who: Subject, role: str, service: str) -> str:
    """The verdict for passing a role to a service."""
    stated = world_with_keys(world, [("iam:passedtoservice", service)])
    return evaluate_call(stated, who, PASS_ROLE, role)


def trusts_service(world: World, role: Identity, service: str) -> str:
    """Whether a role's trust names a service."""
    about = known_keys(replace(world, given={}), Subject(role), role.id)
    ours = ("aws:principal", "aws:username", "aws:userid")
    keys = {key: value for key, value in about.items() if not key.startswith(ours)}
    kind, entering = "Service", ASSUME
    if service == COGNITO:
        kind, entering = "Federated", "sts:AssumeRoleWithWebIdentity"
        keys["aws:federatedprovider"] = (service,)
    else:
        keys["aws:sourceaccount"] = (role.account,)
        keys["aws:principalservicename"] = (service,)

    def held(now: Situation) -> bool:
        said = set()
        for s in list_statements(world, role, PolicyLayer.TRUST):
            if takes_action(s, entering) and conditions_hold(s, keys, now):
                everyone = (
                    "AWS",
                    "*",
                ) in s.principals and s.effect is PolicyEffect.DENY
                left = s.not_principals and (kind, service) not in s.not_principals
                if (kind, service) in s.principals or everyone:
                    said.add(s.effect)
                if left and s.effect is PolicyEffect.DENY:
                    said.add(s.effect)
        return said == {PolicyEffect.ALLOW}

    return get_verdict(held)


def list_takeover_steps(world: World, who: Subject) -> Iterator[tuple[str, str]]:
    """Change or enter code that runs as somebody already."""
    for rule in TAKEOVER_RULES:
        near = list_resources(world, rule.kind, who.identity.account)
        for resource in (
            *near,
            *list_shared_resources(world, rule.kind, who.identity.account),
        ):
            role = world.resources[resource].runs_as
            if role in world.identities and role != who.identity.id:
                held = evaluate_needs(world, who, rule.needs, resource)
                if rule.service:
                    held = weakest_verdict(
                        held, evaluate_pass_role(world, who, role, rule.service)
                    )
                yield (
                    role,
                    weakest_verdict(held, "only-if" if rule.precondition else "always"),
                )


def list_saml_steps(world: World, who: Subject) -> Iterator[tuple[str, str]]:
    """Exchange the keys of a SAML provider, and sign in to a role that trusts it.

    Whether the trust accepts what is asserted is open. Source: IAM API Reference,
    UpdateSAMLProvider; STS API Reference, AssumeRoleWithSAML.
    """
    mine = who.identity
    for role in world.facts.identities:
        if not is_role(role) or role.account != mine.account or role.id == mine.id:
            continue
        for said in list_statements(world, role, PolicyLayer.TRUST):
            entering = takes_action(said, "sts:AssumeRoleWithSAML")
            for kind, provider in said.principals if entering else ():
                near = provider.startswith(
                    f"arn:aws:iam::{role.account}:saml-provider/"
                )
                if kind == "Federated" and near and said.effect is PolicyEffect.ALLOW:
                    held = evaluate_call(world, who, "iam:UpdateSAMLProvider", provider)
                    yield role.id, weakest_verdict(held, "only-if")


def list_shared_resources(world: World, kind: str, account: str) -> list[str]:
    """Resources of other accounts that have a policy of their own that was asked for."""
    return [
        resource.id
        for resource in world.facts.resources
        if resource.kind == kind
        and find_owner(world, resource.id) != account
        and (str(resource.id), PolicyLayer.RESOURCE) in world.attached
    ]


def build_new_identity(account: str, on: EditTarget) -> Identity:
    """Identity that could be created in an account."""
    kind = "role" if on is EditTarget.ROLE else "user"
    return Identity(
        id=IdentityId(f"arn:aws:iam::{account}:{kind}/{NEW_NAME} (to be made)"),
        kind=f"aws-{kind}-to-be-made",
        name=NEW_NAME,
        account=account,
        unique_id="",
        tags=(),
        created_at=0,
        last_used_at=0,
        seen=FactProvenance("", "", WrittenBy.PLATFORM, 0),
    )


def list_creation_steps(world: World, who: Subject) -> Iterator[tuple[EditTarget, str]]:
    """Make an identity or a group that may do anything, and become or join it."""
    for make in CREATION_RULES:
        if not is_action_named(world, who, make.create.action):
            continue
        names = list_new_names(world, who, make.create.resource)
        yield (
            make.target,
            best_verdict(evaluate_creation(world, who, make, name) for name in names),
        )


def evaluate_creation(world: World, who: Subject, make: CreationRule, name: str) -> str:
    """The verdict for making something under one name."""
    held = evaluate_on_name(world, who, make.create, name)
    if held != "never":
        widening = best_verdict(
            evaluate_on_name(world, who, need, name) for need in make.grant_alternatives
        )
        held = weakest_verdict(held, widening)
    if held != "never":
        held = weakest_verdict(
            held, best_verdict(list_entry_verdicts(world, who, make, name))
        )
    return held


def list_entry_verdicts(
    world: World, who: Subject, make: CreationRule, name: str
) -> Iterator[str]:
    """Each way to become what was just made, or to have a service run under it."""
    for need in make.become_alternatives:
        yield evaluate_entry(world, who, need, name)
    for launch in PASS_ROLE_RULES:
        if make.target is EditTarget.ROLE and not launch.changed_resource_kind:
            held = weakest_verdict(
                evaluate_external_event(launch),
                evaluate_pass_role(world, who, name, launch.service),
            )
            needs = (*launch.new_role_permissions, *launch.needs)
            yield (
                held
                if held == "never"
                else weakest_verdict(held, evaluate_needs(world, who, needs))
            )


def evaluate_on_name(
    world: World, who: Subject, need: RequiredPermission, name: str
) -> str:
    """The verdict for a call on one resource."""
    return evaluate_call(world_with_keys(world, need.context), who, need.action, name)


def evaluate_entry(
    world: World, who: Subject, need: RequiredPermission, name: str
) -> str:
    """The verdict for becoming what was just made."""
    if need.action != ASSUME:
        return evaluate_on_name(world, who, need, name)
    role = replace(
        build_new_identity(who.identity.account, EditTarget.ROLE), id=IdentityId(name)
    )
    return evaluate_assume_role(world_with_trust(world, role, who.identity), who, role)
