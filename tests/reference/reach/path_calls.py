"""Calls of one step, by brute force: every name, every region, every resource.

Steps of a path are calls of their own, so each is judged by itself: a step is as sure
as the least sure of its calls. Tables of rules are data and are shared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import permutations

from answerable.model.identity import Identity
from answerable.model.ids import PolicyId
from answerable.model.policy import (
    Policy,
    PolicyAttachment,
    PolicyEffect,
    PolicyLayer,
    Statement,
)
from answerable.reach.aws.escalation_rules.registry import (
    ANY_REGION,
    NEW_NAME,
    OTHER_NEW_NAME,
    RESOURCE_ARN_TEMPLATES,
    RequiredPermission,
)
from tests.reference.reach.conditions import glob
from tests.reference.reach.facts import Subject, World, get_account
from tests.reference.reach.keys import known_keys
from tests.reference.reach.request import is_allowed, may_assume
from tests.reference.reach.situation import Situation, get_verdict
from tests.reference.reach.statements import takes_action

ASSUME = "sts:AssumeRole"


def evaluate_call(world: World, who: Subject, action: str, resource: str) -> str:
    """The verdict for one call."""
    return get_verdict(lambda now: is_allowed(world, who, action, resource, now))


def world_with_keys(world: World, keys: Sequence[tuple[str, str]]) -> World:
    """The world of a call that settles some condition keys itself."""
    return replace(world, given=world.given | {key: (value,) for key, value in keys})


def rank_verdict(word: str) -> int:
    """Order verdicts."""
    return ("never", "only-if", "always").index(word)


def weakest_verdict(*words: str) -> str:
    """The verdict of several calls that are all needed."""
    return min(words, key=rank_verdict)


def all_verdicts(words: Iterable[str]) -> str:
    """The same, looking no further once one is never."""
    least = "always"
    for word in words:
        least = weakest_verdict(least, word)
        if least == "never":
            break
    return least


def best_verdict(words: Iterable[str]) -> str:
    """The verdict of several ways of which one is needed, looking no further."""
    most = "never"
    for word in words:
        most = max(most, word, key=rank_verdict)
        if most == "always":
            break
    return most


def evaluate_needs(
    world: World, who: Subject, needs: Sequence[RequiredPermission], existing: str = ""
) -> str:
    """The verdict for all needs of a rule: one region, one name for one resource."""
    if not all(is_action_named(world, who, need.action) for need in needs):
        return "never"
    parts = existing.split(":") if existing else []
    regions = [parts[3]] if existing else list_regions(world)
    templates = list(dict.fromkeys(need.resource for need in needs))

    def somewhere(template: str, region: str) -> str:
        group = [need for need in needs if need.resource == template]
        return best_verdict(
            all_verdicts(_evaluate_need(world, who, need, resource) for need in group)
            for resource in list_candidate_resources(
                world, who, template, region, existing
            )
        )

    return best_verdict(
        all_verdicts(somewhere(template, region) for template in templates)
        for region in regions
    )


def is_action_named(world: World, who: Subject, action: str) -> bool:
    """Return whether anything at all allows an action; what is unread may."""
    return any(
        takes_action(statement, action)
        for said in (who.extra, *(policy.statements for policy in world.facts.policies))
        for statement in said
        if statement.effect is PolicyEffect.ALLOW
    ) or any(policy.unread for policy in world.facts.policies)


def _evaluate_need(
    world: World, who: Subject, need: RequiredPermission, resource: str
) -> str:
    return evaluate_call(
        world_with_keys(world, need.context), who, need.action, resource
    )


def evaluate_needs_on_existing(
    world: World, who: Subject, needs: Sequence[RequiredPermission], kind: str
) -> str:
    """The verdict for needs on a resource that must be there already.

    To have none of a kind in the snapshot is not to know that there is none.
    """
    there = list_resources(world, kind, who.identity.account)
    if there:
        return best_verdict(
            evaluate_needs(world, who, needs, resource) for resource in there
        )
    made = [
        need._replace(
            resource=need.resource.replace("{existing}", RESOURCE_ARN_TEMPLATES[kind])
        )
        for need in needs
    ]
    return weakest_verdict("only-if", evaluate_needs(world, who, made))


def list_resources(world: World, kind: str, account: str) -> list[str]:
    """The resources of a kind in an account."""
    return [
        resource.id
        for resource in world.facts.resources
        if resource.kind == kind
        and (get_account(resource.id) or resource.account) == account
    ]


def list_regions(world: World) -> list[str]:
    """Every region that any statement speaks of, and one more."""
    found = {ANY_REGION}
    for pattern in list_patterns(world):
        parts = pattern.split(":")
        if len(parts) > 5 and parts[3] not in ("", "*") and "$" not in parts[3]:
            found.add(fill_pattern(parts[3]))
    return sorted(found, key=lambda region: (region != ANY_REGION, region))


def list_patterns(world: World) -> set[str]:
    """Every Resource and NotResource there is."""
    return {
        pattern
        for policy in world.facts.policies
        for statement in policy.statements
        for pattern in statement.resources + statement.not_resources
    }


def list_candidate_resources(
    world: World, who: Subject, template: str, region: str, existing: str = ""
) -> list[str]:
    """The resources to try for a rule's resource, in one region."""
    if template == "*":
        return ["*"]
    parts = existing.split(":", 5)
    segments = parts[-1].split("/")

    def filled(name: str) -> str:
        return template.format(
            partition="aws",
            region=region,
            account=parts[4] if existing else who.identity.account,
            existing=existing,
            parent=segments[1] if len(segments) == 3 else name,
            name=name,
        )

    if "{name}" not in template:
        return [filled(NEW_NAME)]
    *head, kind = filled("?*").split(":", 5)
    tails = frozenset(
        pattern.split(":", 5)[5]
        for pattern in list_patterns(world)
        if pattern.count(":") > 4 and "${" not in pattern
    )
    usual = [filled(word).split(":", 5)[5] for word in (NEW_NAME, OTHER_NEW_NAME)]
    names = dict.fromkeys([*usual, *list_candidate_names(kind, tails)])
    return [":".join([*head, name]) for name in names]


@lru_cache(maxsize=4096)
def list_candidate_names(kind: str, patterns: frozenset[str]) -> list[str]:
    """Names of a kind that patterns make, alone or two together."""
    return sorted(name for name in join_patterns(patterns) if glob(kind, name))


@lru_cache(maxsize=1024)
def join_patterns(patterns: frozenset[str]) -> frozenset[str]:
    """Every text that a pattern makes, and that two make together."""
    found = {fill_pattern(pattern) for pattern in patterns}
    for one, two in permutations(patterns, 2):
        left, right = fill_pattern(one), fill_pattern(two)
        for cut in range(len(left) + 1):
            for rest in range(len(right) + 1):
                text = left[:cut] + right[rest:]
                if text not in found and glob(one, text) and glob(two, text):
                    found.add(text)
    return frozenset(found)


def fill_pattern(pattern: str) -> str:
    return pattern.replace("*", NEW_NAME).replace("?", "a")


def world_with_trust(world: World, role: Identity, who: Identity) -> World:
    """The world after a role was made, or its trust rewritten, to name somebody."""
    named = Statement(
        sid="new",
        effect=PolicyEffect.ALLOW,
        actions=(ASSUME,),
        not_actions=(),
        resources=(),
        not_resources=(),
        principals=(("AWS", who.id),),
        not_principals=(),
        conditions=(),
    )
    policy = Policy(PolicyId("spec#trust"), "trust", (named,), (), role.seen)
    attachment = PolicyAttachment(policy.id, role.id, PolicyLayer.TRUST, "", role.seen)
    others = (
        a
        for a in world.facts.attachments
        if not (a.target == role.id and a.layer is PolicyLayer.TRUST)
    )
    facts = replace(
        world.facts,
        identities=tuple({**world.identities, role.id: role}.values()),
        policies=(*world.facts.policies, policy),
        attachments=(*others, attachment),
    )
    return replace(world, facts=facts)


def evaluate_assume_role(world: World, who: Subject, role: Identity) -> str:
    """`sts:AssumeRole`, both sides."""
    keys = known_keys(world, who, role.id)

    def held(now: Situation) -> bool:
        return may_assume(world, who, role, keys, now)

    return get_verdict(held)


def list_new_names(world: World, who: Subject, template: str) -> Iterator[str]:
    """Names for something new: what is there already cannot be made."""
    there = {a.via for a in world.facts.attachments} | set(world.identities)
    for resource in list_candidate_resources(world, who, template, ANY_REGION):
        if resource not in there:
            yield resource
