"""Reference search for escalation paths, by brute force.

Steps of a path are calls of their own, so each is judged by itself: a path holds for
sure when each of its steps does. The tables of `rules` are data and are shared. The
calls of a step stand in `spec_paths_calls`, the rules that need several in
`spec_paths_rules`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from answerable.model.identity import Identity
from answerable.model.policy import Effect, Layer, Statement
from answerable.reach.aws.escalation_rules.registry import EDITS, Edit, Gives, On
from tests.reference.reach.escalation_rules import (
    launching,
    making,
    new_identity,
    signing_in,
    taking_over,
)
from tests.reference.reach.facts import (
    Who,
    World,
    find_identity,
    is_role,
    is_root,
    is_service_linked,
)
from tests.reference.reach.path_calls import (
    ask,
    assuming,
    best,
    rank,
    stating,
    trusting,
    weaker,
)

ANYTHING = Statement("any", Effect.ALLOW, ("*",), (), ("*",), (), (), (), ())


@dataclass(frozen=True)
class Place:
    """An identity, and what it gained: nothing, `*`, or a group.

    Attributes:
        identity: Who.
        extra: What was gained on the way.
        bare: Whether its boundary was taken off.
        session: Whether the session policy that the question states limits it: it is
            the subject's own session, not that of a role assumed later.
    """

    identity: str
    extra: str = ""
    bare: bool = False
    session: bool = False


Steps = dict[Place, list[tuple[Place, str]]]


def everywhere(world: World) -> Steps:
    """Every step from every place that can be reached from any identity."""
    found: Steps = {}
    waiting = [start(world, identity.id) for identity in world.facts.identities]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found[place] = [s for s in steps(world, place) if s[1] != "never"]
            waiting += [to for to, _ in found[place]]
    return found


def start(world: World, identity: str) -> Place:
    """Where a subject begins."""
    return Place(identity, session=world.session is not None)


def can(world: World, subject: str, action: str, resource: str, found: Steps) -> str:
    """The verdict over all paths, given every step there is."""
    reached = {start(world, subject): "always"}
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
        weaker(held, ask(at(world, place), who_at(world, place), action, resource))
        for place, held in reached.items()
    ]
    return max(words, key=rank)


def at(world: World, place: Place) -> World:
    """World with the permissions of a node."""
    here = world if place.session else replace(world, session=None)
    return unbounded(here, place.identity) if place.bare else here


def unbounded(world: World, identity: str) -> World:
    """The world after somebody's boundary was taken off."""
    left = tuple(
        a
        for a in world.facts.attachments
        if not (a.target == identity and a.layer is Layer.BOUNDARY)
    )
    return replace(world, facts=replace(world.facts, attachments=left))


def who_at(world: World, place: Place) -> Who:
    """The principal at a place."""
    identity = find_identity(world, place.identity) or _new(place.identity)
    if place.extra == "*":
        return Who(identity, (ANYTHING,))
    return Who(identity, tuple(of_group(world, place.extra)) if place.extra else ())


def _new(identity: str) -> Identity:
    account = identity.split(":")[4]
    return new_identity(account, On.ROLE if ":role/" in identity else On.USER)


def steps(world: World, place: Place) -> Iterator[tuple[Place, str]]:
    """Every step from a place, with its verdict; the same step may come twice.

    The endpoint is that of the call asked about, not of the calls on the way, and so is
    what was stated of its principal, its resource and its arguments.
    """
    stated = {key: values for key, values in world.given.items() if _stays(key)}
    here = replace(at(world, place), endpoint=None, given=stated)
    who = who_at(here, place)
    become: dict[str, str] = {}
    for to, held in becoming(here, who):
        if rank(held) > rank(become.get(to, "never")):
            become[to] = held
    for to, held in become.items():
        freed = freeing(here, who, to)
        for other, step in [(Place(to), held), *widening_other(here, who, to, held)]:
            yield other, step
            yield replace(other, bare=True), weaker(step, freed)
    yield replace(place, bare=True), freeing(here, who, place.identity)
    yield from widening(here, place, who)
    yield from founding(here, place, who)


def _stays(key: str) -> bool:
    """Whether what is stated of one call holds for the others of its sender, too."""
    if key in ("aws:tagkeys", "aws:userid", "aws:username"):
        return False
    if key.startswith(("aws:principal", "aws:requesttag/", "aws:resource")):
        return False
    return key.startswith(("aws:", "sts:")) or "." in key.split(":")[0]


def becoming(world: World, who: Who) -> Iterator[tuple[str, str]]:
    """Every way to act as another identity of the snapshot."""
    for other in world.facts.identities:
        if other.id != who.identity.id and not is_root(other):
            if is_role(other):
                yield other.id, assuming(world, who, other)
            if other.account == who.identity.account:
                yield from taking(world, who, other)
    yield from launching(world, who)
    yield from taking_over(world, who)
    yield from signing_in(world, who)


def taking(world: World, who: Who, other: Identity) -> Iterator[tuple[str, str]]:
    """Make a credential of a user, or make a role trust the principal."""
    for edit in EDITS:
        if edit.gives is Gives.TARGET and not is_role(other):
            yield other.id, editing(world, who, edit, other.id)
        fixed = is_service_linked(other)  # only its service changes it
        if edit.gives is Gives.TRUST and is_role(other) and not fixed:
            held = editing(world, who, edit, other.id)
            rewritten = trusting(world, other, who.identity)
            yield other.id, weaker(held, assuming(rewritten, who, other))


def widening(world: World, place: Place, who: Who) -> Iterator[tuple[Place, str]]:
    """Edit one's own policies, or join a group."""
    for edit in EDITS:
        if edit.gives is Gives.SELF and place.extra != "*":
            for target in edited(world, edit, who.identity, place.extra):
                to = replace(place, extra="*")
                yield to, editing(world, who, edit, target)
        if edit.gives is Gives.MEMBERSHIP and not place.extra:
            for group in edited(world, edit, who.identity):
                to = replace(place, extra=group)
                yield to, editing(world, who, edit, group)


def widening_other(
    world: World, who: Who, to: str, become: str
) -> Iterator[tuple[Place, str]]:
    """Edit the policies or groups of an identity of the account, and become it."""
    other = find_identity(world, to)
    if other is None or other.account != who.identity.account:
        return
    for edit in EDITS:
        if edit.gives in (Gives.SELF, Gives.MEMBERSHIP):
            for target in edited(world, edit, other):
                gained = target if edit.gives is Gives.MEMBERSHIP else "*"
                held = weaker(become, editing(world, who, edit, target))
                yield Place(to, gained), held


def freeing(world: World, who: Who, to: str) -> str:
    """Take a boundary off, or make it wider: never, where there is none."""
    other = find_identity(world, to)
    if other is None or other.account != who.identity.account:
        return "never"
    return best(
        editing(world, who, edit, target)
        for edit in EDITS
        if edit.gives is Gives.FREE
        for target in edited(world, edit, other)
    )


def founding(world: World, place: Place, who: Who) -> Iterator[tuple[Place, str]]:
    """Make a role, a user or a group, and become or join it."""
    for on, held in making(world, who):
        if on is not On.GROUP:
            yield Place(new_identity(who.identity.account, on).id, "*"), held
        elif not is_role(who.identity) and place.extra != "*":
            yield replace(place, extra="*"), held


def editing(world: World, who: Who, edit: Edit, target: str) -> str:
    """The verdict for one edit; making an older version default helps perhaps."""
    held = ask(stating(world, edit.context), who, edit.action, target)
    perhaps = edit.action == "iam:SetDefaultPolicyVersion"
    return weaker(held, "only-if") if perhaps else held


def edited(world: World, edit: Edit, identity: Identity, joined: str = "") -> list[str]:
    """What an edit would have to act on to widen an identity."""
    mine = groups_of(world, identity) + ([joined] if joined not in ("", "*") else [])
    if edit.gives is Gives.MEMBERSHIP:
        others = [group for group in groups(world) if group not in mine]
        near = [g for g in others if g.split(":")[4] == identity.account]
        return [] if is_role(identity) or is_root(identity) else near
    bounds = [
        str(a.policy)
        for a in world.facts.attachments
        if a.target == identity.id and a.layer is Layer.BOUNDARY
    ]
    if edit.gives is Gives.FREE and not bounds:
        return []
    if edit.on is On.BOUNDARY:
        return [policy for policy in bounds if is_customers(policy)]
    if edit.on is On.USER:
        return [] if is_role(identity) else [identity.id]
    if edit.on is On.ROLE:
        changes = is_role(identity) and not is_service_linked(identity)
        return [identity.id] if changes else []
    if edit.on is On.GROUP:
        return mine
    return sorted(
        {
            str(a.policy)
            for a in world.facts.attachments
            if (a.target == identity.id or a.target in mine or a.via in mine)
            and a.layer is Layer.IDENTITY
            and is_customers(a.policy)
        }
    )


def is_customers(policy: str) -> bool:
    """Tell a policy that an account manages itself."""
    return "#" not in policy and policy.split(":")[4].isdigit()


def groups(world: World) -> list[str]:
    """Every group: one holds policies, or none, and members, or none.

    Source: IAM User Guide, "IAM user groups".
    """
    holding = {a.via for a in world.facts.attachments if a.via}
    return sorted(holding | {str(group.id) for group in world.facts.groups})


def groups_of(world: World, identity: Identity) -> list[str]:
    """The groups that a user is a member of, with and without policies."""
    mine = {a.via for a in world.facts.attachments if a.target == identity.id}
    among = {str(g.id) for g in world.facts.groups if identity.id in g.members}
    return sorted((mine | among) - {""})


def of_group(world: World, group: str) -> list[Statement]:
    """The statements of a group's policies, seen on a member or on the group itself."""
    policies = {policy.id: policy for policy in world.facts.policies}
    named = {
        a.policy for a in world.facts.attachments if group in (a.via, str(a.target))
    }
    return [
        s
        for name in sorted(named)
        if name in policies
        for s in policies[name].statements
    ]
