"""Decide writes to branches and tags: role, branch protection, and rulesets.

A write passes two gates of branch protection, and every active ruleset. The merge gate
(pull requests, locks) is bypassed by administrators unless it is enforced for them; the
push gate (restricted pushes) is bypassed by administrators in any case.

Source: https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches/about-protected-branches
"""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.reach.condition_formula import FALSE, TRUE, build_atom
from answerable.reach.github.catalogue import (
    ROLES,
    BranchProtection,
    BypassActor,
    Ruleset,
    RulesetRule,
)
from answerable.reach.github.decision import (
    APPROVALS,
    BRANCH_NAME,
    CHECKS,
    RULE,
    AccessDecision,
    assume,
    choose_best,
    conjoin_decisions,
)
from answerable.reach.github.organization_index import RepositoryPlace
from answerable.reach.github.ref_patterns import (
    NEW_BRANCHES,
    NEW_TAGS,
    is_ref_selected,
    is_repository_selected,
    matches,
)
from answerable.reach.github.repository_access import RepositoryAccess
from answerable.reach.github.statements import (
    DENY,
    format_allowance_statement,
    format_bypass_statement,
    format_protection_statement,
    format_ruleset_statement,
    quote,
)
from answerable.reach.platform import DeterminingStatement

PROTECTION, RULESET = "branch protection", "ruleset"


@dataclass(frozen=True, slots=True)
class Write:
    """Write to a ref.

    Attributes:
        ref: Full name of the ref.
        creates: Whether the ref does not exist yet.
        merges: Whether it is the merge of a pull request.
        deletes: Whether it deletes the ref.
    """

    ref: str
    creates: bool = False
    merges: bool = False
    deletes: bool = False

    @property
    def branch(self) -> str:
        """Name of the branch; empty for a tag."""
        return self.ref.removeprefix("refs/heads/") if self.is_branch else ""

    @property
    def is_branch(self) -> bool:
        """Return whether the ref is a branch."""
        return self.ref.startswith("refs/heads/")


def decide_write(
    place: RepositoryPlace, access: RepositoryAccess, write: Write
) -> AccessDecision:
    """Decide one write: the role and every gate must allow it."""
    role = decide_capability(access, "merge" if write.merges else "push")
    if role.formula == FALSE:
        return role
    parts = [role]
    if write.is_branch:
        parts.append(_decide_protection(place, access, write))
    parts.append(_decide_rulesets(place, access, write))
    return conjoin_decisions(*parts)


def decide_capability(access: RepositoryAccess, capability: str) -> AccessDecision:
    """Decide whether an identity has a capability."""
    proof = access.capabilities.get(capability)
    if proof is None:
        return AccessDecision(FALSE, (), access.missing)
    return AccessDecision(TRUE, proof)


def decide_branch_creation(
    place: RepositoryPlace, access: RepositoryAccess
) -> AccessDecision:
    """Decide whether an identity can create a branch with a name of its choice.

    A rule for `*` does not match names with `/`.
    """
    plain, nested = (
        decide_write(place, access, Write(f"refs/heads/{name}", creates=True))
        for name in NEW_BRANCHES
    )
    named = AccessDecision(build_atom(BRANCH_NAME, "StringLike", ("*/*",)))
    return choose_best([plain, conjoin_decisions(nested, named)])


def decide_tag_creation(
    place: RepositoryPlace, access: RepositoryAccess
) -> AccessDecision:
    """Decide whether an identity can create a tag with a name of its choice."""
    return choose_best(
        decide_write(place, access, Write(f"refs/tags/{name}", creates=True))
        for name in NEW_TAGS
    )


def list_branches(place: RepositoryPlace) -> list[str]:
    """List the known branches of a repository, the default branch first."""
    repository = place.repository
    names = dict.fromkeys(
        [repository.default_branch] if repository.default_branch else []
    )
    names |= dict.fromkeys(repository.branches or ())
    names |= dict.fromkeys(
        each.branch for each in repository.workflows or () if each.branch
    )
    return list(names)


def find_protection(place: RepositoryPlace, branch: str) -> BranchProtection | None:
    """Find the rule of a branch: the one with its name, else the first that matches.

    Source: https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches/managing-a-branch-protection-rule
    """
    rules = place.repository.protections or ()
    named = next((each for each in rules if each.pattern == branch), None)
    return named or next((e for e in rules if matches(e.pattern, branch)), None)


def _decide_protection(
    place: RepositoryPlace, access: RepositoryAccess, write: Write
) -> AccessDecision:
    """Decide whether branch protection lets a write pass."""
    if "protection" in access.removed:
        return AccessDecision(TRUE)
    if place.repository.protections is None:
        return assume(TRUE, f"branch protection of {place.name}")
    rule = find_protection(place, write.branch)
    if rule is None:
        return AccessDecision(TRUE)
    gates = [] if write.creates else [_decide_merge_gate(place, access, write, rule)]
    if rule.restricts_pushes and (rule.blocks_creations or not write.creates):
        gates.append(_decide_push_gate(place, access, rule))
    return conjoin_decisions(*gates)


def _decide_merge_gate(
    place: RepositoryPlace,
    access: RepositoryAccess,
    write: Write,
    rule: BranchProtection,
) -> AccessDecision:
    """Decide the merge gate: locks, required pull requests and checks."""
    gated = (
        rule.lock
        or rule.requires_reviews
        or rule.requires_status_checks
        or rule.requires_deployments
    )
    if not gated:
        return AccessDecision(TRUE)
    said = _quote_rule(place, rule)
    bypass = access.capabilities.get("bypass_branch_protection")
    if bypass is not None and not rule.enforce_admins:
        return AccessDecision(TRUE, (*bypass, said))
    if rule.lock:
        return AccessDecision(FALSE, (said,), access.missing)
    parts = []
    if rule.requires_reviews:
        parts.append(_decide_review(place, access, write, rule))
    if rule.requires_status_checks or rule.requires_deployments:
        parts.append(
            AccessDecision(build_atom(CHECKS, "Pass", (rule.pattern,)), (said,))
        )
    return conjoin_decisions(*parts)


def _decide_review(
    place: RepositoryPlace,
    access: RepositoryAccess,
    write: Write,
    rule: BranchProtection,
) -> AccessDecision:
    """Decide a required pull request: approvals for a merge, an allowance to push."""
    said = _quote_rule(place, rule)
    allowed = _find_allowance(access, rule.review_bypass)
    if allowed and not rule.enforce_admins:
        return AccessDecision(
            TRUE, (_quote_allowance(place, rule, "pull request", allowed), said)
        )
    if not write.merges:
        return AccessDecision(FALSE, (said,), access.missing)
    return _build_approvals(rule.reviews_count, said)


def _build_approvals(count: int, said: DeterminingStatement) -> AccessDecision:
    """Build the condition of so many approvals."""
    if count <= 0:
        return AccessDecision(TRUE, (said,))
    needed = build_atom(APPROVALS, "NumericGreaterThanEquals", (str(count),))
    return AccessDecision(needed, (said,))


def _decide_push_gate(
    place: RepositoryPlace, access: RepositoryAccess, rule: BranchProtection
) -> AccessDecision:
    """Decide the push gate: restricted pushes; enforcement for administrators is moot."""
    said = _quote_rule(place, rule)
    bypass = access.capabilities.get("push_protected_branch")
    if bypass is not None:
        return AccessDecision(TRUE, (*bypass, said))
    allowed = _find_allowance(access, rule.push_allowances)
    if allowed:
        return AccessDecision(
            TRUE, (_quote_allowance(place, rule, "push", allowed), said)
        )
    return AccessDecision(FALSE, (said,), access.missing)


def _find_allowance(access: RepositoryAccess, allowances: tuple[str, ...]) -> str:
    """Find the name of an identity in a list of allowances; empty for none."""
    return next((each for each in allowances if each.lower() in access.names), "")


def _quote_rule(place: RepositoryPlace, rule: BranchProtection) -> DeterminingStatement:
    """Quote a branch protection rule."""
    text = format_protection_statement(place.name, rule)
    return quote(PROTECTION, f"repository {place.name}", text, rule.place, DENY)


def _quote_allowance(
    place: RepositoryPlace, rule: BranchProtection, gate: str, holder: str
) -> DeterminingStatement:
    """Quote an allowance of a branch protection rule."""
    text = format_allowance_statement(place.name, rule, gate, holder)
    return quote(PROTECTION, f"repository {place.name}", text, rule.place)


def list_rulesets(place: RepositoryPlace) -> Iterator[tuple[str, Ruleset]]:
    """List the active rulesets that may concern a repository, with their holder."""
    for each in place.repository.rulesets or ():
        if each.enforcement == "active":
            yield place.name, each
    for each in place.index.organization.rulesets or ():
        include = each.repositories_include
        if each.enforcement == "active" and is_repository_selected(
            place.name, include, each.repositories_exclude
        ):
            yield place.index.login, each


def _decide_rulesets(
    place: RepositoryPlace, access: RepositoryAccess, write: Write
) -> AccessDecision:
    """Decide whether every active ruleset lets a write pass; the strictest wins.

    Source: https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/about-rulesets
    """
    target = "branch" if write.is_branch else "tag"
    parts = []
    for holder, ruleset in list_rulesets(place):
        of_repository = holder == place.name
        if of_repository and "protection" in access.removed:
            continue
        if ruleset.target == target and is_ref_selected(
            write.ref,
            place.repository.default_branch,
            ruleset.refs_include,
            ruleset.refs_exclude,
        ):
            parts.append(_decide_ruleset(holder, ruleset, access, write))
    if place.repository.rulesets is None and "protection" not in access.removed:
        parts.append(assume(TRUE, f"rulesets of {place.name}"))
    if place.index.organization.rulesets is None:
        parts.append(assume(TRUE, f"rulesets of {place.index.login}"))
    return conjoin_decisions(*parts)


def _decide_ruleset(
    holder: str, ruleset: Ruleset, access: RepositoryAccess, write: Write
) -> AccessDecision:
    """Decide whether one ruleset lets a write pass, by its rules or by a bypass."""
    said = quote(
        RULESET,
        f"rulesets of {holder}",
        format_ruleset_statement(holder, ruleset),
        ruleset.place,
        DENY,
    )
    for actor in ruleset.bypass or ():
        if _can_bypass(actor, access, write):
            text = format_bypass_statement(holder, ruleset, actor)
            allowed = quote(RULESET, f"rulesets of {holder}", text, ruleset.place)
            return AccessDecision(TRUE, (allowed, said))
    unresolved = ruleset.bypass is None or any(
        not e.name and e.kind in ("Team", "Integration", "RepositoryRole")
        for e in ruleset.bypass
    )
    missing = (*access.missing,)
    if unresolved:
        missing = (*missing, f"bypass actors of the ruleset {ruleset.name}")
    if ruleset.rules is None:
        return assume(TRUE, f"rules of the ruleset {ruleset.name}")
    parts = [_decide_rule(rule, write, said) for rule in ruleset.rules]
    found = conjoin_decisions(*parts)
    if found.formula == FALSE:
        return AccessDecision(FALSE, found.determining or (said,), missing)
    if found.formula != TRUE:
        return AccessDecision(found.formula, found.determining, missing, found.assuming)
    return found


def _can_bypass(actor: BypassActor, access: RepositoryAccess, write: Write) -> bool:
    """Return whether a bypass actor is the identity, in a mode that covers the write."""
    if actor.mode == "pull_request" and not write.merges:
        return False
    name = actor.name.lower()
    if actor.kind == "OrganizationAdmin":
        return access.is_owner
    if actor.kind == "DeployKey":
        return access.kind == "deploy-key"
    if actor.kind == "RepositoryRole":
        return bool(name) and _has_role(access, name)
    kinds = {"Team": "team", "Integration": "app"}
    return bool(name) and f"{kinds.get(actor.kind, '')}/{name}" in access.names


def _has_role(access: RepositoryAccess, role: str) -> bool:
    """Return whether an identity has a repository role, or a stronger built-in one."""
    if role not in ROLES:
        return role in access.roles
    rank = ROLES.index(role)
    return any(ROLES.index(each) >= rank for each in access.roles if each in ROLES)


# Rules that concern a deletion or the history, not whether a commit can be added.
_OTHER_RULES = frozenset(("deletion", "non_fast_forward", "required_linear_history"))


def _decide_rule(
    rule: RulesetRule, write: Write, said: DeterminingStatement
) -> AccessDecision:
    """Decide one rule of a ruleset.

    Source: https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/available-rules-for-rulesets
    """
    parameters = dict(rule.parameters)
    if write.deletes:
        refused = rule.type == "deletion"
        return AccessDecision(FALSE, (said,)) if refused else AccessDecision(TRUE)
    if rule.type in _OTHER_RULES:
        return AccessDecision(TRUE)
    if rule.type == "creation":
        return AccessDecision(FALSE, (said,)) if write.creates else AccessDecision(TRUE)
    if rule.type == "update":
        return AccessDecision(TRUE) if write.creates else AccessDecision(FALSE, (said,))
    if rule.type == "pull_request":
        if write.creates:
            return AccessDecision(TRUE)
        if not write.merges:
            return AccessDecision(FALSE, (said,))
        count = parameters.get("required_approving_review_count", "0")
        return _build_approvals(int(count) if count.isdigit() else 1, said)
    if rule.type in ("required_status_checks", "required_deployments", "workflows"):
        if write.creates and parameters.get("do_not_enforce_on_create", "") in (
            "true",
            "True",
        ):
            return AccessDecision(TRUE)
        return AccessDecision(build_atom(CHECKS, "Pass", (rule.type,)), (said,))
    return AccessDecision(build_atom(RULE, "Holds", (rule.type,)), (said,))
