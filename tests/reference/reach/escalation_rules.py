"""Reference escalation rules: PassRole, takeover and creation, by brute force."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId
from answerable.model.policy import Effect, Layer
from answerable.model.provenance import Seen, WrittenBy
from answerable.reach.aws.escalation_rules.registry import (
    LAUNCHES,
    MAKES,
    NAME,
    RUNNING,
    Launch,
    Make,
    Need,
    On,
)
from tests.reference.reach.facts import Who, World, is_role, owner_of, statements
from tests.reference.reach.keys import known_keys
from tests.reference.reach.path_calls import (
    ASSUME,
    ask,
    assuming,
    best,
    changing,
    every_name,
    meeting,
    resources_of,
    spoken_of,
    stating,
    trusting,
    weaker,
)
from tests.reference.reach.situation import Situation, verdict
from tests.reference.reach.statements import conditions_hold, takes_action

PASS = "iam:PassRole"
# Its trust policies name it as a web identity provider. Source: Amazon Cognito Developer
# Guide, "IAM roles", "Setting up a trust policy".
COGNITO = "cognito-identity.amazonaws.com"


def launching(world: World, who: Who) -> Iterator[tuple[str, str]]:
    """Pass a role to a service of the same account and have it run something."""
    mine = who.identity
    for role in world.facts.identities:
        if is_role(role) and role.account == mine.account and role.id != mine.id:
            for launch in LAUNCHES:
                yield role.id, launched(world, who, role, launch)


def launched(world: World, who: Who, role: Identity, launch: Launch) -> str:
    """The verdict for one launch under one role."""
    held = weaker(
        trusts_service(world, role, launch.service),
        passing(world, who, role.id, launch.service),
    )
    if held == "never":
        return held
    held = weaker(held, awaited(launch))
    if launch.changes:
        return weaker(held, changing(world, who, launch.needs, launch.changes))
    return weaker(held, meeting(world, who, launch.needs))


def awaited(launch: Launch) -> str:
    """The verdict for what a launch needs besides and no snapshot shows.

    Source: ECS API Reference, RunTask, `cluster`: "the default cluster is assumed",
    which CreateCluster makes.
    """
    return "only-if" if launch.awaits else "always"


def passing(world: World, who: Who, role: str, service: str) -> str:
    """The verdict for passing a role to a service."""
    stated = stating(world, [("iam:passedtoservice", service)])
    return ask(stated, who, PASS, role)


def trusts_service(world: World, role: Identity, service: str) -> str:
    """Whether a role's trust names a service."""
    about = known_keys(replace(world, given={}), Who(role), role.id)
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
        for s in statements(world, role, Layer.TRUST):
            if takes_action(s, entering) and conditions_hold(s, keys, now):
                everyone = ("AWS", "*") in s.principals and s.effect is Effect.DENY
                left = s.not_principals and (kind, service) not in s.not_principals
                if (kind, service) in s.principals or everyone:
                    said.add(s.effect)
                if left and s.effect is Effect.DENY:
                    said.add(s.effect)
        return said == {Effect.ALLOW}

    return verdict(held)


def taking_over(world: World, who: Who) -> Iterator[tuple[str, str]]:
    """Change or enter code that runs as somebody already."""
    for rule in RUNNING:
        near = resources_of(world, rule.kind, who.identity.account)
        for resource in (*near, *lent(world, rule.kind, who.identity.account)):
            role = world.resources[resource].runs_as
            if role in world.identities and role != who.identity.id:
                held = meeting(world, who, rule.needs, resource)
                if rule.service:
                    held = weaker(held, passing(world, who, role, rule.service))
                yield role, weaker(held, "only-if" if rule.awaits else "always")


def signing_in(world: World, who: Who) -> Iterator[tuple[str, str]]:
    """Exchange the keys of a SAML provider, and sign in to a role that trusts it.

    Whether the trust accepts what is asserted is open. Source: IAM API Reference,
    UpdateSAMLProvider; STS API Reference, AssumeRoleWithSAML.
    """
    mine = who.identity
    for role in world.facts.identities:
        if not is_role(role) or role.account != mine.account or role.id == mine.id:
            continue
        for said in statements(world, role, Layer.TRUST):
            entering = takes_action(said, "sts:AssumeRoleWithSAML")
            for kind, provider in said.principals if entering else ():
                near = provider.startswith(
                    f"arn:aws:iam::{role.account}:saml-provider/"
                )
                if kind == "Federated" and near and said.effect is Effect.ALLOW:
                    held = ask(world, who, "iam:UpdateSAMLProvider", provider)
                    yield role.id, weaker(held, "only-if")


def lent(world: World, kind: str, account: str) -> list[str]:
    """Resources of other accounts that have a policy of their own that was asked for."""
    return [
        resource.id
        for resource in world.facts.resources
        if resource.kind == kind
        and owner_of(world, resource.id) != account
        and (str(resource.id), Layer.RESOURCE) in world.attached
    ]


def new_identity(account: str, on: On) -> Identity:
    """Identity that could be created in an account."""
    kind = "role" if on is On.ROLE else "user"
    return Identity(
        id=IdentityId(f"arn:aws:iam::{account}:{kind}/{NAME} (to be made)"),
        kind=f"aws-{kind}-to-be-made",
        name=NAME,
        account=account,
        unique_id="",
        tags=(),
        created_at=0,
        last_used_at=0,
        seen=Seen("", "", WrittenBy.PLATFORM, 0),
    )


def making(world: World, who: Who) -> Iterator[tuple[On, str]]:
    """Make an identity or a group that may do anything, and become or join it."""
    for make in MAKES:
        if not spoken_of(world, who, make.create.action):
            continue
        names = every_name(world, who, make.create.resource)
        yield make.on, best(made(world, who, make, name) for name in names)


def made(world: World, who: Who, make: Make, name: str) -> str:
    """The verdict for making something under one name."""
    held = on_name(world, who, make.create, name)
    if held != "never":
        widening = best(on_name(world, who, need, name) for need in make.widen)
        held = weaker(held, widening)
    if held != "never":
        held = weaker(held, best(ways_in(world, who, make, name)))
    return held


def ways_in(world: World, who: Who, make: Make, name: str) -> Iterator[str]:
    """Each way to become what was just made, or to have a service run under it."""
    for need in make.enter:
        yield entering(world, who, need, name)
    for launch in LAUNCHES:
        if make.on is On.ROLE and not launch.changes:
            held = weaker(awaited(launch), passing(world, who, name, launch.service))
            needs = (*launch.also, *launch.needs)
            yield held if held == "never" else weaker(held, meeting(world, who, needs))


def on_name(world: World, who: Who, need: Need, name: str) -> str:
    """The verdict for a call on one resource."""
    return ask(stating(world, need.context), who, need.action, name)


def entering(world: World, who: Who, need: Need, name: str) -> str:
    """The verdict for becoming what was just made."""
    if need.action != ASSUME:
        return on_name(world, who, need, name)
    role = replace(new_identity(who.identity.account, On.ROLE), id=IdentityId(name))
    return assuming(trusting(world, role, who.identity), who, role)
