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
from answerable.model.policy import Attachment, Effect, Layer, Policy, Statement
from answerable.reach.aws.escalation_rules.registry import (
    KINDS,
    NAME,
    OTHER_NAME,
    REGION,
    Need,
)
from tests.reference.reach.conditions import glob
from tests.reference.reach.facts import Who, World, account_of
from tests.reference.reach.keys import known_keys
from tests.reference.reach.request import allowed, may_assume
from tests.reference.reach.situation import Situation, verdict
from tests.reference.reach.statements import takes_action

ASSUME = "sts:AssumeRole"


def ask(world: World, who: Who, action: str, resource: str) -> str:
    """The verdict for one call."""
    return verdict(lambda now: allowed(world, who, action, resource, now))


def stating(world: World, keys: Sequence[tuple[str, str]]) -> World:
    """The world of a call that settles some condition keys itself."""
    return replace(world, given=world.given | {key: (value,) for key, value in keys})


def rank(word: str) -> int:
    """Order verdicts."""
    return ("never", "only-if", "always").index(word)


def weaker(*words: str) -> str:
    """The verdict of several calls that are all needed."""
    return min(words, key=rank)


def all_of(words: Iterable[str]) -> str:
    """The same, looking no further once one is never."""
    least = "always"
    for word in words:
        least = weaker(least, word)
        if least == "never":
            break
    return least


def best(words: Iterable[str]) -> str:
    """The verdict of several ways of which one is needed, looking no further."""
    most = "never"
    for word in words:
        most = max(most, word, key=rank)
        if most == "always":
            break
    return most


def meeting(world: World, who: Who, needs: Sequence[Need], existing: str = "") -> str:
    """The verdict for all needs of a rule: one region, one name for one resource."""
    if not all(spoken_of(world, who, need.action) for need in needs):
        return "never"
    parts = existing.split(":") if existing else []
    regions = [parts[3]] if existing else regions_of(world)
    templates = list(dict.fromkeys(need.resource for need in needs))

    def somewhere(template: str, region: str) -> str:
        group = [need for need in needs if need.resource == template]
        return best(
            all_of(_on(world, who, need, resource) for need in group)
            for resource in resources(world, who, template, region, existing)
        )

    return best(
        all_of(somewhere(template, region) for template in templates)
        for region in regions
    )


def spoken_of(world: World, who: Who, action: str) -> bool:
    """Tell whether anything at all allows an action; what is unread may."""
    return any(
        takes_action(statement, action)
        for said in (who.extra, *(policy.statements for policy in world.facts.policies))
        for statement in said
        if statement.effect is Effect.ALLOW
    ) or any(policy.unread for policy in world.facts.policies)


def _on(world: World, who: Who, need: Need, resource: str) -> str:
    return ask(stating(world, need.context), who, need.action, resource)


def changing(world: World, who: Who, needs: Sequence[Need], kind: str) -> str:
    """The verdict for needs on a resource that must be there already.

    To have none of a kind in the snapshot is not to know that there is none.
    """
    there = resources_of(world, kind, who.identity.account)
    if there:
        return best(meeting(world, who, needs, resource) for resource in there)
    made = [
        need._replace(resource=need.resource.replace("{existing}", KINDS[kind]))
        for need in needs
    ]
    return weaker("only-if", meeting(world, who, made))


def resources_of(world: World, kind: str, account: str) -> list[str]:
    """The resources of a kind in an account."""
    return [
        resource.id
        for resource in world.facts.resources
        if resource.kind == kind
        and (account_of(resource.id) or resource.account) == account
    ]


def regions_of(world: World) -> list[str]:
    """Every region that any statement speaks of, and one more."""
    found = {REGION}
    for pattern in patterns_of(world):
        parts = pattern.split(":")
        if len(parts) > 5 and parts[3] not in ("", "*") and "$" not in parts[3]:
            found.add(_plain(parts[3]))
    return sorted(found, key=lambda region: (region != REGION, region))


def patterns_of(world: World) -> set[str]:
    """Every Resource and NotResource there is."""
    return {
        pattern
        for policy in world.facts.policies
        for statement in policy.statements
        for pattern in statement.resources + statement.not_resources
    }


def resources(
    world: World, who: Who, template: str, region: str, existing: str = ""
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
        return [filled(NAME)]
    *head, kind = filled("?*").split(":", 5)
    tails = frozenset(
        pattern.split(":", 5)[5]
        for pattern in patterns_of(world)
        if pattern.count(":") > 4 and "${" not in pattern
    )
    usual = [filled(word).split(":", 5)[5] for word in (NAME, OTHER_NAME)]
    names = dict.fromkeys([*usual, *names_of(kind, tails)])
    return [":".join([*head, name]) for name in names]


@lru_cache(maxsize=4096)
def names_of(kind: str, patterns: frozenset[str]) -> list[str]:
    """Names of a kind that patterns make, alone or two together."""
    return sorted(name for name in glued(patterns) if glob(kind, name))


@lru_cache(maxsize=1024)
def glued(patterns: frozenset[str]) -> frozenset[str]:
    """Every text that a pattern makes, and that two make together."""
    found = {_plain(pattern) for pattern in patterns}
    for one, two in permutations(patterns, 2):
        left, right = _plain(one), _plain(two)
        for cut in range(len(left) + 1):
            for rest in range(len(right) + 1):
                text = left[:cut] + right[rest:]
                if text not in found and glob(one, text) and glob(two, text):
                    found.add(text)
    return frozenset(found)


def _plain(pattern: str) -> str:
    return pattern.replace("*", NAME).replace("?", "a")


def trusting(world: World, role: Identity, who: Identity) -> World:
    """The world after a role was made, or its trust rewritten, to name somebody."""
    named = Statement(
        sid="new",
        effect=Effect.ALLOW,
        actions=(ASSUME,),
        not_actions=(),
        resources=(),
        not_resources=(),
        principals=(("AWS", who.id),),
        not_principals=(),
        conditions=(),
    )
    policy = Policy(PolicyId("spec#trust"), "trust", (named,), (), role.seen)
    attachment = Attachment(policy.id, role.id, Layer.TRUST, "", role.seen)
    others = (
        a
        for a in world.facts.attachments
        if not (a.target == role.id and a.layer is Layer.TRUST)
    )
    facts = replace(
        world.facts,
        identities=tuple({**world.identities, role.id: role}.values()),
        policies=(*world.facts.policies, policy),
        attachments=(*others, attachment),
    )
    return replace(world, facts=facts)


def assuming(world: World, who: Who, role: Identity) -> str:
    """`sts:AssumeRole`, both sides."""
    keys = known_keys(world, who, role.id)

    def held(now: Situation) -> bool:
        return may_assume(world, who, role, keys, now)

    return verdict(held)


def every_name(world: World, who: Who, template: str) -> Iterator[str]:
    """Names for something new: what is there already cannot be made."""
    there = {a.via for a in world.facts.attachments} | set(world.identities)
    for resource in resources(world, who, template, REGION):
        if resource not in there:
            yield resource
