"""Policy edits between two scans, one at a time."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from answerable.model.ids import PolicyId
from answerable.model.policy import Policy, PolicyLayer, Statement
from answerable.model.sighting import SightedFacts
from bench.organization.generator import GeneratedOrganization
from bench.organization.policy_syntax import (
    account_principal,
    allow,
    condition,
    deny,
    number_statements,
)

KINDS = ("inline", "shared", "boundary", "scp", "rcp", "trust", "bucket")


@dataclass(frozen=True, slots=True)
class PolicyEdit:
    """One edit with the facts after it."""

    kind: str
    policy: str
    facts: SightedFacts


def generate_edits(
    made: GeneratedOrganization, count: int, seed: int
) -> Iterator[PolicyEdit]:
    """Edit one policy of each kind in turn, always from the original facts."""
    pick = random.Random(seed)
    held = _policies_by_kind(made)
    places = {policy.id: n for n, policy in enumerate(made.facts.policies)}
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        policy = pick.choice(held[kind])
        place = places[policy]
        policies = list(made.facts.policies)
        policies[place] = _edit_policy(made, pick, kind, policies[place])
        yield PolicyEdit(kind, policy, replace(made.facts, policies=tuple(policies)))


def _policies_by_kind(made: GeneratedOrganization) -> dict[str, list[PolicyId]]:
    found: dict[str, dict[PolicyId, None]] = defaultdict(dict)
    for one in made.facts.attachments:
        kind = one.layer.value
        if one.layer is PolicyLayer.IDENTITY:
            kind = "inline" if "#inline/" in one.policy else "shared"
        if one.layer is PolicyLayer.RESOURCE:
            kind = "bucket" if one.target.startswith("arn:aws:s3:::") else "other"
        # What AWS manages nobody edits.
        if ":aws:policy/" not in one.policy:
            found[kind][one.policy] = None
    return {kind: list(ids) for kind, ids in found.items()}


def _edit_policy(
    made: GeneratedOrganization, pick: random.Random, kind: str, policy: Policy
) -> Policy:
    """Remove a statement sometimes, else add one."""
    if policy.statements and pick.random() < 0.3:
        rest = list(policy.statements)
        rest.pop(pick.randrange(len(rest)))
        return replace(policy, statements=number_statements(rest))
    more = number_statements(
        (*policy.statements, _new_statement(made, pick, kind, policy))
    )
    return replace(policy, statements=more)


def _new_statement(
    made: GeneratedOrganization, pick: random.Random, kind: str, policy: Policy
) -> Statement:
    team = pick.choice(made.plan.teams)
    if kind == "trust":
        one = ("AWS", pick.choice(made.plan.members).arn)
        return allow(
            "sts:AssumeRole", to=(pick.choice((account_principal(team.account), one)),)
        )
    if kind == "bucket":
        bucket = policy.id.partition("#")[0]
        who = (("AWS", pick.choice(made.plan.members).arn),)
        return allow("s3:GetObject", f"{bucket}/*", to=who)
    if kind == "scp":
        away = condition("StringNotEquals", "aws:RequestedRegion", team.region)
        quiet = ("sqs:*", "sns:Publish")
        return deny(pick.choice((quiet, quiet, "sts:AssumeRole")), "*", away)
    if kind == "rcp":
        outside = condition("StringNotEquals", "aws:PrincipalAccount", team.account)
        quiet = ("sqs:*", "kms:Decrypt")
        said = pick.choice((quiet, quiet, "sts:AssumeRole"))
        return deny(said, "*", outside, to=(("AWS", "*"),))
    if kind == "boundary":
        return allow(("sts:AssumeRole", "dynamodb:*", "events:*"), "*")
    if pick.random() < 0.5:
        role = f"arn:aws:iam::{team.account}:role/{team.name}/*"
        return allow("sts:AssumeRole", role)
    names = made.things.team_resources(team, "s3:bucket")
    return allow(("s3:GetObject", "s3:ListBucket"), (names[0], f"{names[0]}/*"))
