"""Read the responses about rules: branch protection, rulesets and environments.

Sources: https://docs.github.com/graphql/reference/objects#branchprotectionrule,
https://docs.github.com/rest/repos/rules, https://docs.github.com/rest/deployments
"""

from dataclasses import replace
from typing import Any

import msgspec

from answerable.connectors.formats.redaction import redact_name
from answerable.connectors.github.parse.organization_builder import OrganizationBuilder
from answerable.connectors.github.parse.organization_responses import Parameters
from answerable.connectors.github.parse.saved_response import SavedAnswer
from answerable.reach.github.catalogue import (
    BranchProtection,
    BypassActor,
    Environment,
    Ruleset,
    RulesetRule,
)


class _GraphAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Base of GraphQL answers; fields that are not listed are ignored."""


class ActorAnswer(_GraphAnswer, frozen=True):
    """Actor of an allowance: a user, a team or an app."""

    login: str = ""
    slug: str = ""
    type_name: str = msgspec.field(name="__typename", default="")
    combined_slug: str = ""


class AllowanceAnswer(_GraphAnswer, frozen=True):
    """Allowance of one actor."""

    actor: ActorAnswer | None = None


class PageInfoAnswer(_GraphAnswer, frozen=True):
    """Position in a list."""

    has_next_page: bool = False


class AllowancesAnswer(_GraphAnswer, frozen=True):
    """List of allowances."""

    nodes: tuple[AllowanceAnswer, ...]
    page_info: PageInfoAnswer | None = None


class ProtectionAnswer(_GraphAnswer, frozen=True):
    """Branch protection rule."""

    pattern: str
    is_admin_enforced: bool
    requires_approving_reviews: bool
    restricts_pushes: bool
    lock_branch: bool = False
    blocks_creations: bool = False
    required_approving_review_count: int | None = None
    requires_code_owner_reviews: bool = False
    requires_status_checks: bool = False
    requires_deployments: bool = False
    allows_force_pushes: bool = False
    allows_deletions: bool = False
    bypass_pull_request_allowances: AllowancesAnswer | None = None
    push_allowances: AllowancesAnswer | None = None


class RefConditions(msgspec.Struct, frozen=True):
    """Included and excluded names."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class IdConditions(msgspec.Struct, frozen=True):
    """Ids of repositories."""

    repository_ids: tuple[int, ...] = ()


class RulesetConditions(msgspec.Struct, frozen=True):
    """Conditions of a ruleset."""

    ref_name: RefConditions | None = None
    repository_name: RefConditions | None = None
    repository_id: IdConditions | None = None
    repository_property: dict[str, Any] | None = None


class RuleAnswer(msgspec.Struct, frozen=True):
    """Rule of a ruleset."""

    type: str
    parameters: dict[str, Any] | None = None


class BypassAnswer(msgspec.Struct, frozen=True):
    """Bypass actor of a ruleset."""

    actor_type: str
    bypass_mode: str
    actor_id: int | None = None


class RulesetAnswer(msgspec.Struct, frozen=True):
    """Ruleset; a list of rulesets has no conditions, rules and bypass actors."""

    id: int
    name: str
    enforcement: str
    target: str = "branch"
    source_type: str = ""
    conditions: RulesetConditions | None = None
    rules: tuple[RuleAnswer, ...] | None = None
    bypass_actors: tuple[BypassAnswer, ...] | None = None


class ReviewerName(msgspec.Struct, frozen=True):
    """Name of a reviewer."""

    login: str = ""
    slug: str = ""


class ReviewerAnswer(msgspec.Struct, frozen=True):
    """Reviewer of an environment."""

    reviewer: ReviewerName


class GateAnswer(msgspec.Struct, frozen=True):
    """Protection rule of an environment."""

    type: str
    wait_timer: int = 0
    prevent_self_review: bool = False
    reviewers: tuple[ReviewerAnswer, ...] = ()


class BranchPolicyAnswer(msgspec.Struct, frozen=True):
    """Branches that may deploy."""

    protected_branches: bool
    custom_branch_policies: bool


class EnvironmentAnswer(msgspec.Struct, frozen=True):
    """Environment."""

    name: str
    protection_rules: tuple[GateAnswer, ...] = ()
    deployment_branch_policy: BranchPolicyAnswer | None = None
    can_admins_bypass: bool = True


class PolicyNameAnswer(msgspec.Struct, frozen=True):
    """Pattern of branches or tags that may deploy.

    Source: https://docs.github.com/rest/deployments/branch-policies
    """

    name: str
    type: str = "branch"


ALL_REPOSITORIES = "~ALL"
UNKNOWN_REPOSITORIES = "~PROPERTY"


def read_branch_protections(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the branch protection rules of a repository."""
    found: list[BranchProtection] = []
    for place, rule in builder.iter_items(answer, ProtectionAnswer):
        for allowances in (rule.bypass_pull_request_allowances, rule.push_allowances):
            info = allowances.page_info if allowances else None
            if info is not None and info.has_next_page:
                builder.add_problem(
                    place, "pages of the actors that may bypass a rule are missing"
                )
                builder.faulty.add(answer.place)
        found.append(_build_protection(rule, place))
    builder.update_repository(parameters["repo"], protections=tuple(found))


def _build_protection(rule: ProtectionAnswer, place: str) -> BranchProtection:
    """Build a branch protection rule."""
    return BranchProtection(
        pattern=rule.pattern,
        requires_reviews=rule.requires_approving_reviews,
        reviews_count=rule.required_approving_review_count or 0,
        requires_code_owner_reviews=rule.requires_code_owner_reviews,
        requires_status_checks=rule.requires_status_checks,
        requires_deployments=rule.requires_deployments,
        lock=rule.lock_branch,
        enforce_admins=rule.is_admin_enforced,
        restricts_pushes=rule.restricts_pushes,
        blocks_creations=rule.blocks_creations,
        allows_force_pushes=rule.allows_force_pushes,
        allows_deletions=rule.allows_deletions,
        review_bypass=_list_actors(rule.bypass_pull_request_allowances),
        push_allowances=_list_actors(rule.push_allowances),
        place=place,
    )


def _list_actors(found: AllowancesAnswer | None) -> tuple[str, ...]:
    """List the actors of allowances: `user/LOGIN`, `team/SLUG` or `app/SLUG`."""
    actors: list[str] = []
    for each in found.nodes if found else ():
        actor = each.actor or ActorAnswer()
        if actor.login:
            actors.append(f"user/{actor.login.lower()}")
        elif actor.type_name == "App":
            actors.append(f"app/{actor.slug.lower()}")
        elif actor.slug or actor.combined_slug:
            slug = actor.slug or actor.combined_slug.rpartition("/")[2]
            actors.append(f"team/{slug.lower()}")
    return tuple(actors)


def read_rulesets(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the list of a repository's rulesets; the rules are other answers."""
    parts = builder.get_parts(parameters["repo"])
    rulesets = parts.rulesets = parts.rulesets or {}
    for place, found in builder.iter_items(answer, RulesetAnswer):
        if found.source_type in ("Organization", "Enterprise"):
            continue  # The organization's own list has it.
        rulesets.setdefault(found.id, _build_ruleset(found, place))
        builder.expect("ruleset", {**parameters, "ruleset": str(found.id)})


def read_ruleset(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read a ruleset of a repository."""
    found = builder.decode_object(answer, RulesetAnswer)
    if found is not None and found.source_type not in ("Organization", "Enterprise"):
        parts = builder.get_parts(parameters["repo"])
        rulesets = parts.rulesets = parts.rulesets or {}
        rulesets[found.id] = _build_ruleset(found, answer.place)


def read_organization_rulesets(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the list of the organization's rulesets; the rules are other answers."""
    for place, found in builder.iter_items(answer, RulesetAnswer):
        builder.rulesets.setdefault(found.id, _build_ruleset(found, place))
        builder.expect("organization-ruleset", {**parameters, "ruleset": str(found.id)})


def read_organization_ruleset(
    builder: OrganizationBuilder, answer: SavedAnswer, _: Parameters
) -> None:
    """Read a ruleset of the organization."""
    found = builder.decode_object(answer, RulesetAnswer)
    if found is not None:
        builder.rulesets[found.id] = _build_ruleset(found, answer.place)


def _build_ruleset(found: RulesetAnswer, place: str) -> Ruleset:
    """Build a ruleset; a list's entry has neither rules nor bypass actors."""
    conditions = found.conditions or RulesetConditions()
    refs = conditions.ref_name or RefConditions()
    names = conditions.repository_name or RefConditions()
    include = names.include
    if conditions.repository_id is not None:
        include = tuple(map(str, conditions.repository_id.repository_ids))
    elif conditions.repository_property is not None:
        include = (UNKNOWN_REPOSITORIES,)
    return Ruleset(
        name=redact_name(found.name),
        target=found.target,
        enforcement=found.enforcement,
        refs_include=refs.include,
        refs_exclude=refs.exclude,
        repositories_include=include,
        repositories_exclude=names.exclude,
        rules=None if found.rules is None else tuple(map(_build_rule, found.rules)),
        bypass=None
        if found.bypass_actors is None
        else tuple(
            BypassActor(each.actor_type, "", each.bypass_mode, each.actor_id or 0)
            for each in found.bypass_actors
        ),
        place=place,
    )


def _build_rule(found: RuleAnswer) -> RulesetRule:
    """Build a rule; parameters that are no text become JSON."""
    parameters = (
        (name, value if isinstance(value, str) else msgspec.json.encode(value).decode())
        for name, value in (found.parameters or {}).items()
    )
    return RulesetRule(found.type, tuple(sorted(parameters)))


def read_environments(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the environments of a repository."""
    parts = builder.get_parts(parameters["repo"])
    environments = parts.environments = parts.environments or {}
    for place, found in builder.iter_items(answer, EnvironmentAnswer):
        known = environments.get(found.name)
        environments[found.name] = _build_environment(found, known, place)
        named = {**parameters, "environment": found.name}
        builder.expect("environment-secrets", named)
        policy = found.deployment_branch_policy
        if policy is not None and policy.custom_branch_policies:
            builder.expect("environment-branches", named)


def _build_environment(
    found: EnvironmentAnswer, known: Environment | None, place: str
) -> Environment:
    """Build an environment; the branches of a custom policy are another answer."""
    reviews = [e for e in found.protection_rules if e.type == "required_reviewers"]
    custom = (
        each.type
        for each in found.protection_rules
        if each.type not in ("required_reviewers", "wait_timer", "branch_policy")
    )
    policy = found.deployment_branch_policy
    is_custom = policy is not None and policy.custom_branch_policies
    branches = known.branches if known else None
    return Environment(
        name=found.name,
        reviewers=tuple(
            f"user/{each.reviewer.login.lower()}"
            if each.reviewer.login
            else f"team/{each.reviewer.slug.lower()}"
            for rule in reviews
            for each in rule.reviewers
        ),
        prevents_self_review=any(each.prevent_self_review for each in reviews),
        wait_minutes=max(
            (each.wait_timer for each in found.protection_rules), default=0
        ),
        branches=branches if is_custom else None,
        protected_branches=policy is not None and policy.protected_branches,
        admins_bypass=found.can_admins_bypass,
        secrets=known.secrets if known else None,
        custom_rules=tuple(custom),
        place=place,
        protection_collected=not is_custom or branches is not None,
        tags=known.tags if known and is_custom else (),
    )


def read_environment_branches(
    builder: OrganizationBuilder, answer: SavedAnswer, parameters: Parameters
) -> None:
    """Read the patterns of branches and tags that may deploy to an environment."""
    parts = builder.get_parts(parameters["repo"])
    environments = parts.environments = parts.environments or {}
    name = parameters["environment"]
    found = [each for _, each in builder.iter_items(answer, PolicyNameAnswer)]
    known = environments.get(name)
    environments[name] = replace(
        known or Environment(name),
        branches=tuple(each.name for each in found if each.type != "tag"),
        tags=tuple(each.name for each in found if each.type == "tag"),
        protection_collected=known is not None,
    )
