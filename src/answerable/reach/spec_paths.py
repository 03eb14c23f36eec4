"""Paths once more, written for reading: who can become whom, by brute force.

Steps of a path are calls of their own, so each is judged by itself: a path holds for
sure when each of its steps does. The tables of `rules` are data and are shared.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from answerable.model.identity import Identity
from answerable.model.ids import PolicyId
from answerable.model.policy import Attachment, Effect, Layer, Policy, Statement
from answerable.reach.rules import EDITS, LAUNCHES, NAME, REGION, Edit, Gives, Need, On
from answerable.reach.spec import (
    Situation,
    allowed,
    conditions_hold,
    known_keys,
    may_assume,
    takes_action,
    verdict,
)
from answerable.reach.spec_facts import Who, World, find_identity, is_role, statements

ANYTHING = Statement("any", Effect.ALLOW, ("*",), (), ("*",), (), (), (), ())


@dataclass(frozen=True)
class Place:
    """An identity, and what it gained: nothing, `*`, or a group."""

    identity: str
    extra: str = ""


Steps = dict[Place, list[tuple[Place, str]]]


def everywhere(world: World) -> Steps:
    """Every step from every place that can be reached from any identity."""
    found: Steps = {}
    waiting = [Place(identity.id) for identity in world.facts.identities]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found[place] = [s for s in steps(world, place) if s[1] != "never"]
            waiting += [to for to, _ in found[place]]
    return found


def can(world: World, start: str, action: str, resource: str, found: Steps) -> str:
    """The verdict over all paths, given every step there is."""
    reached = {Place(start): "always"}
    grown = True
    while grown:
        grown = False
        for place, held in list(reached.items()):
            for to, step in found[place]:
                new = weaker(held, step)
                if rank(new) > rank(reached.get(to, "never")):
                    reached[to] = new
                    grown = True
    words = [
        weaker(held, ask(world, who_at(world, place), action, resource))
        for place, held in reached.items()
    ]
    return max(words, key=rank)


def ask(world: World, who: Who, action: str, resource: str) -> str:
    """The verdict for one call."""
    return verdict(lambda now: allowed(world, who, action, resource, now))


def rank(word: str) -> int:
    """Order verdicts."""
    return ("never", "only-if", "always").index(word)


def weaker(*words: str) -> str:
    """The verdict of several calls that are all needed."""
    return min(words, key=rank)


def who_at(world: World, place: Place) -> Who:
    """The principal at a place."""
    identity = find_identity(world, place.identity)
    assert identity is not None  # noqa: S101 - places are made of known identities
    if place.extra == "*":
        return Who(identity, (ANYTHING,))
    return Who(identity, tuple(of_group(world, place.extra)) if place.extra else ())


def steps(world: World, place: Place) -> Iterator[tuple[Place, str]]:
    """Every step from a place, with its verdict; the same step may come twice."""
    who = who_at(world, place)
    for other in world.facts.identities:
        if other.id == place.identity:
            continue
        if is_role(other):
            yield Place(other.id), assuming(world, who, other)
            yield from launching(world, who, other)
        if other.account == who.identity.account:
            yield from taking(world, who, other)
            yield from widening_other(world, who, other)
    yield from widening(world, place, who)


def assuming(world: World, who: Who, role: Identity) -> str:
    """`sts:AssumeRole`, both sides."""
    keys = known_keys(world, who, role.id)
    return verdict(lambda now: may_assume(world, who, role, keys, now))


def launching(world: World, who: Who, role: Identity) -> Iterator[tuple[Place, str]]:
    """Pass a role to a service of the same account and have it run something."""
    if role.account != who.identity.account:
        return
    for launch in LAUNCHES:
        stated = {**world.given, "iam:passedtoservice": (launch.service,)}
        passing = ask(
            World(world.facts, world.catalogue, stated), who, "iam:PassRole", role.id
        )
        needs = [somewhere(world, who, need) for need in launch.needs]
        trusted = trusting(world, role, launch.service)
        yield Place(role.id), weaker(passing, trusted, *needs)


def trusting(world: World, role: Identity, service: str) -> str:
    """Whether a role's trust names a service."""
    about = known_keys(World(world.facts, world.catalogue), Who(role), role.id)
    ours = ("aws:principal", "aws:username", "aws:userid")
    keys = {key: value for key, value in about.items() if not key.startswith(ours)}
    keys["aws:sourceaccount"] = (role.account,)
    keys["aws:principalservicename"] = (service,)

    def held(now: Situation) -> bool:
        said = set()
        for s in statements(world, role, Layer.TRUST):
            if takes_action(s, "sts:AssumeRole") and conditions_hold(s, keys, now):
                everyone = ("AWS", "*") in s.principals and s.effect is Effect.DENY
                left = s.not_principals and ("Service", service) not in s.not_principals
                if ("Service", service) in s.principals or everyone:
                    said.add(s.effect)
                if left and s.effect is Effect.DENY:
                    said.add(s.effect)
        return said == {Effect.ALLOW}

    return verdict(held)


def somewhere(world: World, who: Who, need: Need) -> str:
    """The best verdict over every resource that any statement speaks of."""
    words = [ask(world, who, need.action, r) for r in resources(world, who, need)]
    return max(words, key=rank)


def resources(world: World, who: Who, need: Need) -> list[str]:
    """Resources to try: the usual one, and what patterns of the account make of it."""
    if need.resource == "*":
        return ["*"]
    account = who.identity.account
    usual = need.resource.format(
        partition="aws", region=REGION, account=account, name=NAME
    )
    found = {usual}
    for policy in world.facts.policies:
        for statement in policy.statements:
            for pattern in statement.resources + statement.not_resources:
                made = pattern.replace("*", NAME).replace("?", "a")
                if ":" in made and "${" not in made:
                    found.add(made)
    return sorted(found)


def taking(world: World, who: Who, other: Identity) -> Iterator[tuple[Place, str]]:
    """Make a credential of a user, or make a role trust the principal."""
    for edit in EDITS:
        if edit.gives is Gives.TARGET and not is_role(other):
            yield Place(other.id), editing(world, who, edit, other.id)
        if edit.gives is Gives.TRUST and is_role(other):
            then = after_trust(world, who, other)
            yield Place(other.id), weaker(editing(world, who, edit, other.id), then)


def after_trust(world: World, who: Who, role: Identity) -> str:
    """Assume a role whose trust was rewritten to name the principal."""
    named = Statement(
        "new",
        Effect.ALLOW,
        ("sts:AssumeRole",),
        (),
        (),
        (),
        (("AWS", who.identity.id),),
        (),
        (),
    )
    rewritten = with_trust(world, role, named)
    keys = known_keys(world, who, role.id)
    return verdict(lambda now: may_assume(rewritten, who, role, keys, now))


def with_trust(world: World, role: Identity, statement: Statement) -> World:
    """The world after a role's trust policy holds one statement only."""
    policy = Policy(PolicyId("spec#trust"), "trust", (statement,), (), role.seen)
    attachment = Attachment(policy.id, role.id, Layer.TRUST, "", role.seen)
    others = tuple(
        a
        for a in world.facts.attachments
        if not (a.target == role.id and a.layer is Layer.TRUST)
    )
    facts = replace(
        world.facts,
        policies=(*world.facts.policies, policy),
        attachments=(*others, attachment),
    )
    return World(facts, world.catalogue, world.given)


def widening(world: World, place: Place, who: Who) -> Iterator[tuple[Place, str]]:
    """Edit one's own policies, or join a group."""
    for edit in EDITS:
        if edit.gives is Gives.SELF and place.extra != "*":
            for target in edited(world, edit.on, who.identity, who):
                yield Place(place.identity, "*"), editing(world, who, edit, target)
        if edit.gives is Gives.MEMBERSHIP and not is_role(who.identity):
            for group in groups(world):
                mine = group in groups_of(world, who.identity)
                same = group.split(":")[4] == who.identity.account
                if same and not mine and not place.extra:
                    held = editing(world, who, edit, group)
                    yield Place(place.identity, group), held


def widening_other(
    world: World, who: Who, other: Identity
) -> Iterator[tuple[Place, str]]:
    """Edit the policies of an identity the principal can become."""
    becoming = [held for _, held in taking(world, who, other)]
    if is_role(other):
        becoming.append(assuming(world, who, other))
        becoming += [held for _, held in launching(world, who, other)]
    best = max(becoming, key=rank)
    for edit in EDITS:
        if edit.gives is Gives.SELF and edit.on is not On.GROUP:
            for target in edited(world, edit.on, other, Who(other)):
                held = weaker(best, editing(world, who, edit, target))
                yield Place(other.id, "*"), held


def editing(world: World, who: Who, edit: Edit, target: str) -> str:
    """The verdict for one edit; making an older version default helps perhaps."""
    stated = {**world.given, **{key: (value,) for key, value in edit.context}}
    held = ask(World(world.facts, world.catalogue, stated), who, edit.action, target)
    perhaps = edit.action == "iam:SetDefaultPolicyVersion"
    return weaker(held, "only-if") if perhaps else held


def edited(world: World, on: On, identity: Identity, who: Who) -> list[str]:
    """What an edit would have to act on to widen an identity."""
    if on is On.USER:
        return [] if is_role(identity) else [identity.id]
    if on is On.ROLE:
        return [identity.id] if is_role(identity) else []
    if on is On.GROUP:
        return groups_of(world, identity)
    return [
        str(a.policy)
        for a in world.facts.attachments
        if a.target == identity.id
        and a.layer is Layer.IDENTITY
        and "#" not in a.policy
        and a.policy.split(":")[4].isdigit()
    ]


def groups(world: World) -> list[str]:
    """Every group that holds a policy."""
    return sorted({a.via for a in world.facts.attachments if a.via})


def groups_of(world: World, identity: Identity) -> list[str]:
    """The groups of a user that hold policies."""
    mine = (a for a in world.facts.attachments if a.target == identity.id)
    return sorted({a.via for a in mine if a.via})


def of_group(world: World, group: str) -> list[Statement]:
    """The statements of a group's policies."""
    policies = {policy.id: policy for policy in world.facts.policies}
    named = {a.policy for a in world.facts.attachments if a.via == group}
    return [
        s
        for name in sorted(named)
        if name in policies
        for s in policies[name].statements
    ]
