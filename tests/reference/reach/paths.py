"""Reference search for escalation paths, by brute force.

Steps of a path are calls of their own, so each is judged by itself: a path holds for
sure when each of its steps does. The tables of `rules` are data and are shared. The
calls of a step stand in `spec_paths_calls`, the rules that need several in
`spec_paths_rules`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from answerable.model.identity import Identity
from answerable.model.policy import PolicyEffect, PolicyLayer, Statement
from answerable.reach.aws.escalation_rules.registry import (
    EDIT_RULES,
    EditEffect,
    EditTarget,
    IamEditRule,
)
from tests.reference.reach.escalation_rules import (
    build_new_identity,
    list_creation_steps,
    list_pass_role_steps,
    list_saml_steps,
    list_takeover_steps,
)
from tests.reference.reach.facts import (
    Subject,
    World,
    find_identity,
    is_role,
    is_root,
    is_service_linked,
)
from tests.reference.reach.path_calls import (
    best_verdict,
    evaluate_assume_role,
    evaluate_call,
    rank_verdict,
    weakest_verdict,
    world_with_keys,
    world_with_trust,
)

ANYTHING = Statement("any", PolicyEffect.ALLOW, ("*",), (), ("*",), (), (), (), ())


@dataclass(frozen=True)
class PathPlace:
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


Steps = dict[PathPlace, list[tuple[PathPlace, str]]]


def list_all_steps(world: World) -> Steps:
    """Every step from every place that can be reached from any identity."""
    found: Steps = {}
    waiting = [get_start(world, identity.id) for identity in world.facts.identities]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found[place] = [s for s in list_steps(world, place) if s[1] != "never"]
            waiting += [to for to, _ in found[place]]
    return found


def get_start(world: World, identity: str) -> PathPlace:
    """Where a subject begins."""
    return PathPlace(identity, session=world.session is not None)


def evaluate_can(
    world: World, subject: str, action: str, resource: str, found: Steps
) -> str:
    """The verdict over all paths, given every step there is."""
    reached = {get_start(world, subject): "always"}
    grown = True
    while grown:
        grown = False
        for place, held in list(reached.items()):
            for to, step in found[place]:
                new = weakest_verdict(held, step)
                if rank_verdict(new) > rank_verdict(reached.get(to, "never")):
                    reached[to] = new
                    grown = True
    words = [
        weakest_verdict(
            held,
            evaluate_call(
                world_at(world, place), principal_at(world, place), action, resource
            ),
        )
        for place, held in reached.items()
    ]
    return max(words, key=rank_verdict)


def world_at(world: World, place: PathPlace) -> World:
    """World with the permissions of a node."""
    here = world if place.session else replace(world, session=None)
    return world_without_boundary(here, place.identity) if place.bare else here


def world_without_boundary(world: World, identity: str) -> World:
    """The world after somebody's boundary was taken off."""
    left = tuple(
        a
        for a in world.facts.attachments
        if not (a.target == identity and a.layer is PolicyLayer.BOUNDARY)
    )
    return replace(world, facts=replace(world.facts, attachments=left))


def principal_at(world: World, place: PathPlace) -> Subject:
    """The principal at a place."""
    identity = find_identity(world, place.identity) or _is_not_yet_created(
        place.identity
    )
    if place.extra == "*":
        return Subject(identity, (ANYTHING,))
    return Subject(
        identity,
        tuple(list_group_statements(world, place.extra)) if place.extra else (),
    )


def _is_not_yet_created(identity: str) -> Identity:
    account = identity.split(":")[4]
    return build_new_identity(
        account, EditTarget.ROLE if ":role/" in identity else EditTarget.USER
    )


def list_steps(world: World, place: PathPlace) -> Iterator[tuple[PathPlace, str]]:
    """Every step from a place, with its verdict; the same step may come twice.

    The endpoint is that of the call asked about, not of the calls on the way, and so is
    what was stated of its principal, its resource and its arguments.
    """
    stated = {
        key: values for key, values in world.given.items() if _holds_for_session(key)
    }
    here = replace(world_at(world, place), endpoint=None, given=stated)
    who = principal_at(here, place)
    become: dict[str, str] = {}
    for to, held in list_identity_steps(here, who):
        if rank_verdict(held) > rank_verdict(become.get(to, "never")):
            become[to] = held
    for to, held in become.items():
        freed = evaluate_boundary_removal(here, who, to)
        for other, step in [
            (PathPlace(to), held),
            *list_other_edit_steps(here, who, to, held),
        ]:
            yield other, step
            yield replace(other, bare=True), weakest_verdict(step, freed)
    yield (
        replace(place, bare=True),
        evaluate_boundary_removal(here, who, place.identity),
    )
    yield from list_own_edit_steps(here, place, who)
    yield from list_founding_steps(here, place, who)


def _holds_for_session(key: str) -> bool:
    """Whether what is stated of one call holds for the others of its sender, too."""
    if key in ("aws:tagkeys", "aws:userid", "aws:username"):
        return False
    if key.startswith(("aws:principal", "aws:requesttag/", "aws:resource")):
        return False
    return key.startswith(("aws:", "sts:")) or "." in key.split(":")[0]


def list_identity_steps(world: World, who: Subject) -> Iterator[tuple[str, str]]:
    """Every way to act as another identity of the snapshot."""
    for other in world.facts.identities:
        if other.id != who.identity.id and not is_root(other):
            if is_role(other):
                yield other.id, evaluate_assume_role(world, who, other)
            if other.account == who.identity.account:
                yield from list_credential_steps(world, who, other)
    yield from list_pass_role_steps(world, who)
    yield from list_takeover_steps(world, who)
    yield from list_saml_steps(world, who)


def list_credential_steps(
    world: World, who: Subject, other: Identity
) -> Iterator[tuple[str, str]]:
    """Make a credential of a user, or make a role trust the principal."""
    for edit in EDIT_RULES:
        if edit.effect is EditEffect.TARGET and not is_role(other):
            yield other.id, evaluate_edit(world, who, edit, other.id)
        fixed = is_service_linked(other)  # only its service changes it
        if edit.effect is EditEffect.TRUST and is_role(other) and not fixed:
            held = evaluate_edit(world, who, edit, other.id)
            rewritten = world_with_trust(world, other, who.identity)
            yield (
                other.id,
                weakest_verdict(held, evaluate_assume_role(rewritten, who, other)),
            )


def list_own_edit_steps(
    world: World, place: PathPlace, who: Subject
) -> Iterator[tuple[PathPlace, str]]:
    """Edit one's own policies, or join a group."""
    for edit in EDIT_RULES:
        if edit.effect is EditEffect.SELF and place.extra != "*":
            for target in list_edit_targets(world, edit, who.identity, place.extra):
                to = replace(place, extra="*")
                yield to, evaluate_edit(world, who, edit, target)
        if edit.effect is EditEffect.MEMBERSHIP and not place.extra:
            for group in list_edit_targets(world, edit, who.identity):
                to = replace(place, extra=group)
                yield to, evaluate_edit(world, who, edit, group)


def list_other_edit_steps(
    world: World, who: Subject, to: str, become: str
) -> Iterator[tuple[PathPlace, str]]:
    """Edit the policies or groups of an identity of the account, and become it."""
    other = find_identity(world, to)
    if other is None or other.account != who.identity.account:
        return
    for edit in EDIT_RULES:
        if edit.effect in (EditEffect.SELF, EditEffect.MEMBERSHIP):
            for target in list_edit_targets(world, edit, other):
                gained = target if edit.effect is EditEffect.MEMBERSHIP else "*"
                held = weakest_verdict(become, evaluate_edit(world, who, edit, target))
                yield PathPlace(to, gained), held


def evaluate_boundary_removal(world: World, who: Subject, to: str) -> str:
    """Take a boundary off, or make it wider: never, where there is none."""
    other = find_identity(world, to)
    if other is None or other.account != who.identity.account:
        return "never"
    return best_verdict(
        evaluate_edit(world, who, edit, target)
        for edit in EDIT_RULES
        if edit.effect is EditEffect.FREE
        for target in list_edit_targets(world, edit, other)
    )


def list_founding_steps(
    world: World, place: PathPlace, who: Subject
) -> Iterator[tuple[PathPlace, str]]:
    """Make a role, a user or a group, and become or join it."""
    for on, held in list_creation_steps(world, who):
        if on is not EditTarget.GROUP:
            yield PathPlace(build_new_identity(who.identity.account, on).id, "*"), held
        elif not is_role(who.identity) and place.extra != "*":
            yield replace(place, extra="*"), held


def evaluate_edit(world: World, who: Subject, edit: IamEditRule, target: str) -> str:
    """The verdict for one edit; making an older version default helps perhaps."""
    held = evaluate_call(world_with_keys(world, edit.context), who, edit.action, target)
    perhaps = edit.action == "iam:SetDefaultPolicyVersion"
    return weakest_verdict(held, "only-if") if perhaps else held


def list_edit_targets(
    world: World, edit: IamEditRule, identity: Identity, joined: str = ""
) -> list[str]:
    """What an edit would have to act on to widen an identity."""
    mine = list_user_groups(world, identity) + (
        [joined] if joined not in ("", "*") else []
    )
    if edit.effect is EditEffect.MEMBERSHIP:
        others = [group for group in list_groups(world) if group not in mine]
        near = [g for g in others if g.split(":")[4] == identity.account]
        return [] if is_role(identity) or is_root(identity) else near
    bounds = [
        str(a.policy)
        for a in world.facts.attachments
        if a.target == identity.id and a.layer is PolicyLayer.BOUNDARY
    ]
    if edit.effect is EditEffect.FREE and not bounds:
        return []
    if edit.target is EditTarget.BOUNDARY:
        return [policy for policy in bounds if is_customers(policy)]
    if edit.target is EditTarget.USER:
        return [] if is_role(identity) else [identity.id]
    if edit.target is EditTarget.ROLE:
        changes = is_role(identity) and not is_service_linked(identity)
        return [identity.id] if changes else []
    if edit.target is EditTarget.GROUP:
        return mine
    return sorted(
        {
            str(a.policy)
            for a in world.facts.attachments
            if (a.target == identity.id or a.target in mine or a.via in mine)
            and a.layer is PolicyLayer.IDENTITY
            and is_customers(a.policy)
        }
    )


def is_customers(policy: str) -> bool:
    """Tell a policy that an account manages itself."""
    return "#" not in policy and policy.split(":")[4].isdigit()


def list_groups(world: World) -> list[str]:
    """Every group: one holds policies, or none, and members, or none.

    Source: IAM User Guide, "IAM user groups".
    """
    holding = {a.via for a in world.facts.attachments if a.via}
    return sorted(holding | {str(group.id) for group in world.facts.groups})


def list_user_groups(world: World, identity: Identity) -> list[str]:
    """The groups that a user is a member of, with and without policies."""
    mine = {a.via for a in world.facts.attachments if a.target == identity.id}
    among = {str(g.id) for g in world.facts.groups if identity.id in g.members}
    return sorted((mine | among) - {""})


def list_group_statements(world: World, group: str) -> list[Statement]:
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
