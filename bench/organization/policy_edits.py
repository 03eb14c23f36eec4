"""Policy edits between two scans, one at a time."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from answerable.model.ids import PolicyId
from answerable.model.policy import Layer, Policy, Statement
from answerable.model.sighting import Facts
from bench.organization.generator import Organization
from bench.organization.policy_syntax import allow, deny, numbered, root, when

KINDS = ("inline", "shared", "boundary", "scp", "rcp", "trust", "bucket")


@dataclass(frozen=True, slots=True)
class Change:
    """One edit with the facts after it."""

    kind: str
    policy: str
    facts: Facts


def changes(made: Organization, count: int, seed: int) -> Iterator[Change]:
    """Edit one policy of each kind in turn, always from the original facts."""
    pick = random.Random(seed)
    held = _by_kind(made)
    places = {policy.id: n for n, policy in enumerate(made.facts.policies)}
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        policy = pick.choice(held[kind])
        place = places[policy]
        policies = list(made.facts.policies)
        policies[place] = _edited(made, pick, kind, policies[place])
        yield Change(kind, policy, replace(made.facts, policies=tuple(policies)))


def _by_kind(made: Organization) -> dict[str, list[PolicyId]]:
    found: dict[str, dict[PolicyId, None]] = defaultdict(dict)
    for one in made.facts.attachments:
        kind = one.layer.value
        if one.layer is Layer.IDENTITY:
            kind = "inline" if "#inline/" in one.policy else "shared"
        if one.layer is Layer.RESOURCE:
            kind = "bucket" if one.target.startswith("arn:aws:s3:::") else "other"
        # What AWS manages nobody edits.
        if ":aws:policy/" not in one.policy:
            found[kind][one.policy] = None
    return {kind: list(ids) for kind, ids in found.items()}


def _edited(
    made: Organization, pick: random.Random, kind: str, policy: Policy
) -> Policy:
    """Remove a statement sometimes, else add one."""
    if policy.statements and pick.random() < 0.3:
        rest = list(policy.statements)
        rest.pop(pick.randrange(len(rest)))
        return replace(policy, statements=numbered(rest))
    more = numbered((*policy.statements, _another(made, pick, kind, policy)))
    return replace(policy, statements=more)


def _another(
    made: Organization, pick: random.Random, kind: str, policy: Policy
) -> Statement:
    team = pick.choice(made.plan.teams)
    if kind == "trust":
        one = ("AWS", pick.choice(made.plan.members).arn)
        return allow("sts:AssumeRole", to=(pick.choice((root(team.account), one)),))
    if kind == "bucket":
        bucket = policy.id.partition("#")[0]
        who = (("AWS", pick.choice(made.plan.members).arn),)
        return allow("s3:GetObject", f"{bucket}/*", to=who)
    if kind == "scp":
        away = when("StringNotEquals", "aws:RequestedRegion", team.region)
        quiet = ("sqs:*", "sns:Publish")
        return deny(pick.choice((quiet, quiet, "sts:AssumeRole")), "*", away)
    if kind == "rcp":
        outside = when("StringNotEquals", "aws:PrincipalAccount", team.account)
        quiet = ("sqs:*", "kms:Decrypt")
        said = pick.choice((quiet, quiet, "sts:AssumeRole"))
        return deny(said, "*", outside, to=(("AWS", "*"),))
    if kind == "boundary":
        return allow(("sts:AssumeRole", "dynamodb:*", "events:*"), "*")
    if pick.random() < 0.5:
        role = f"arn:aws:iam::{team.account}:role/{team.name}/*"
        return allow("sts:AssumeRole", role)
    names = made.things.of(team, "s3:bucket")
    return allow(("s3:GetObject", "s3:ListBucket"), (names[0], f"{names[0]}/*"))
