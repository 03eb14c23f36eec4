"""Slow rules of GitHub, written from its documentation, to compare the engine with.

Each function states a rule as the page says it; nothing is shared with the engine but
the types of the catalogue. Verdicts are `never`, `only-if` and `always`, by rank.
"""

import re

from answerable.reach.github.catalogue import (
    BranchProtection,
    Environment,
    GithubOrganization,
    Repository,
    Ruleset,
    RulesetRule,
)

NEVER, ONLY_IF, ALWAYS = range(3)
WORDS = ("never", "only-if", "always")
LADDER = ["none", "read", "triage", "write", "maintain", "admin"]
PROBES = ("fresh", "fresh/one/two")


def translate(pattern: str) -> str:
    """Translate File.fnmatch with FNM_PATHNAME: `*` stops at `/`, `**/` does not."""
    out = ""
    while pattern:
        if pattern[:3] == "**/":
            out, pattern = out + r"(.*/)?", pattern[3:]
        elif pattern[0] == "*":
            out, pattern = out + r"[^/]*", pattern[1:]
        else:
            out, pattern = out + re.escape(pattern[0]), pattern[1:]
    return out


def fits(pattern: str, name: str) -> bool:
    """Return whether a name fits a pattern."""
    return re.fullmatch(translate(pattern), name) is not None


def teams_of(org: GithubOrganization, login: str) -> set[str]:
    """Teams of a user: those that list it, and all above these."""
    found = {t.slug for t in org.teams or () if login in dict(t.members or ())}
    while True:
        more = {t.parent for t in org.teams or () if t.slug in found and t.parent}
        if more <= found:
            return found
        found |= more


def granted_roles(org: GithubOrganization, login: str, repo: Repository) -> set[str]:
    """Names of the roles that a user has on a repository."""
    roles = {role for who, role in repo.collaborators or () if who == login}
    teams = teams_of(org, login)
    roles |= {role for slug, role in repo.teams or () if slug in teams}
    for member in org.members or ():
        if member.login == login:
            if member.role == "owner":
                roles.add("admin")
            if member.role != "outside":
                roles.add(org.base_role)
    return roles


def expand(org: GithubOrganization, roles: set[str]) -> tuple[set[str], set[str]]:
    """Built-in roles, with the base of each custom one, and additional permissions."""
    built_in, extra = set(), set()
    custom = {each.name: each for each in org.repository_roles or ()}
    for role in roles:
        if role in custom:
            built_in.add(custom[role].base)
            extra |= set(custom[role].permissions)
        else:
            built_in.add(role)
    return built_in, extra


class Person:
    """User on one repository, with the facts that the rules ask for."""

    def __init__(self, org: GithubOrganization, login: str, repo: Repository) -> None:
        self.org, self.login, self.repo = org, login, repo
        self.roles = granted_roles(org, login, repo)
        self.built_in, self.extra = expand(org, self.roles)
        self.level = max((LADDER.index(each) for each in self.built_in), default=0)
        self.names = {f"user/{login}"} | {f"team/{t}" for t in teams_of(org, login)}
        self.owner = any(
            m.login == login and m.role == "owner" for m in org.members or ()
        )

    def at_least(self, role: str) -> bool:
        """Return whether the user has a role or a stronger one."""
        return self.level >= LADDER.index(role)

    def can_push(self) -> bool:
        """Return whether the user pushes at all."""
        return self.at_least("write") and not self.repo.archived

    def bypasses_merge_gate(self) -> bool:
        """Return whether the merge gate is not the user's, unless it is enforced."""
        return self.at_least("admin") or "bypass_branch_protection" in self.extra

    def bypasses_push_gate(self) -> bool:
        """Return whether the push gate is not the user's."""
        return self.at_least("maintain") or "push_protected_branch" in self.extra


def rule_of(repo: Repository, branch: str) -> BranchProtection | None:
    """Rule of a branch: its own name first, else the oldest pattern."""
    matching = [r for r in repo.protections or () if fits(r.pattern, branch)]
    exact = [r for r in repo.protections or () if r.pattern == branch]
    return (exact + matching + [None])[0]


def merge_gate(person: Person, rule: BranchProtection, *, merges: bool) -> int:
    """Locks, required pull requests, required checks."""
    if person.bypasses_merge_gate() and not rule.enforce_admins:
        return ALWAYS
    if rule.lock:
        return NEVER
    verdict = ONLY_IF if rule.requires_status_checks else ALWAYS
    if rule.requires_reviews:
        excused = set(rule.review_bypass) & person.names and not rule.enforce_admins
        if not excused:
            if not merges:
                return NEVER
            verdict = min(verdict, ONLY_IF if rule.reviews_count else ALWAYS)
    return verdict


def push_gate(person: Person, rule: BranchProtection) -> int:
    """Restricted pushes."""
    allowed = person.bypasses_push_gate() or set(rule.push_allowances) & person.names
    return ALWAYS if allowed else NEVER


def protection(person: Person, branch: str, *, creates: bool, merges: bool) -> int:
    """Branch protection of one branch."""
    rule = rule_of(person.repo, branch)
    if rule is None:
        return ALWAYS
    if creates:
        blocked = rule.restricts_pushes and rule.blocks_creations
        return push_gate(person, rule) if blocked else ALWAYS
    verdict = merge_gate(person, rule, merges=merges)
    if rule.restricts_pushes:
        verdict = min(verdict, push_gate(person, rule))
    return verdict


def bypasses(person: Person, ruleset: Ruleset, *, merges: bool) -> bool:
    """Return whether the user is a bypass actor of a ruleset."""
    for actor in ruleset.bypass or ():
        if actor.mode == "pull_request" and not merges:
            continue
        if actor.kind == "Team" and f"team/{actor.name}" in person.names:
            return True
        if actor.kind == "OrganizationAdmin" and person.owner:
            return True
        if actor.kind == "RepositoryRole" and person.at_least(actor.name):
            return True
    return False


def selects(ruleset: Ruleset, ref: str, default: str) -> bool:
    """Return whether a ruleset selects a ref."""

    def one(pattern: str) -> bool:
        if pattern == "~ALL":
            return True
        if pattern == "~DEFAULT_BRANCH":
            return ref == f"refs/heads/{default}"
        return fits(pattern, ref)

    inside = any(one(p) for p in ruleset.refs_include)
    return inside and not any(one(p) for p in ruleset.refs_exclude)


def one_rule(rule: RulesetRule, *, creates: bool, merges: bool) -> int:
    """One rule of a ruleset."""
    if rule.type == "creation":
        return NEVER if creates else ALWAYS
    if rule.type == "update":
        return ALWAYS if creates else NEVER
    if rule.type == "pull_request" and not creates:
        if not merges:
            return NEVER
        count = dict(rule.parameters)["required_approving_review_count"]
        return ALWAYS if count == "0" else ONLY_IF
    return ONLY_IF if rule.type == "required_status_checks" else ALWAYS


def rulesets(person: Person, ref: str, *, creates: bool, merges: bool) -> int:
    """All active rulesets of the repository and the organization."""
    verdict = ALWAYS
    shared = [
        r
        for r in person.org.rulesets or ()
        if any(p == "~ALL" or fits(p, person.repo.name) for p in r.repositories_include)
    ]
    target = "branch" if ref.startswith("refs/heads/") else "tag"
    for ruleset in (*(person.repo.rulesets or ()), *shared):
        if ruleset.enforcement != "active" or ruleset.target != target:
            continue
        if not selects(ruleset, ref, person.repo.default_branch):
            continue
        if bypasses(person, ruleset, merges=merges):
            continue
        for rule in ruleset.rules or ():
            held = one_rule(rule, creates=creates, merges=merges)
            verdict = min(verdict, held)
    return verdict


def write(person: Person, ref: str, *, creates: bool, merges: bool = False) -> int:
    """One write to a ref."""
    if not person.can_push():
        return NEVER
    verdict = rulesets(person, ref, creates=creates, merges=merges)
    if ref.startswith("refs/heads/"):
        branch = ref[len("refs/heads/") :]
        gate = protection(person, branch, creates=creates, merges=merges)
        verdict = min(verdict, gate)
    return verdict


def create_branch(person: Person) -> int:
    """A new branch with a name of one's choice; only with a slash is a condition."""
    plain, nested = (
        write(person, f"refs/heads/{name}", creates=True) for name in PROBES
    )
    return max(plain, min(nested, ONLY_IF))


def push(person: Person, branch: str) -> int:
    """A direct push to a branch."""
    known = branch in (person.repo.branches or ())
    return write(person, f"refs/heads/{branch}", creates=not known)


def merge(person: Person, branch: str) -> int:
    """The merge of a pull request into a branch."""
    return write(person, f"refs/heads/{branch}", creates=False, merges=True)


def any_run(person: Person) -> int:
    """A run of one's own workflow: on a new branch, or pushed to an old one."""
    pushes = [push(person, each) for each in person.repo.branches or ()]
    return max([create_branch(person), *pushes])


def any_way_to_run(person: Person) -> int:
    """A run of one's own workflow: pushed, merged, or tagged."""
    merges = [merge(person, each) for each in person.repo.branches or ()]
    tags = [write(person, f"refs/tags/{name}", creates=True) for name in PROBES]
    return max([any_run(person), *merges, *tags])


def run_on(person: Person, branch: str) -> int:
    """A run of one's own workflow on one branch: pushed, or merged."""
    if branch in (person.repo.branches or ()):
        return max(push(person, branch), merge(person, branch))
    return push(person, branch)


def deploy(person: Person, environment: Environment) -> int:
    """A job of one's own workflow in an environment."""
    if environment.branches is None:
        verdict = any_way_to_run(person)
    else:
        made = [each.replace("*", "x") for each in environment.branches]
        known = [
            branch
            for branch in person.repo.branches or ()
            if any(fits(p, branch) for p in environment.branches)
        ]
        ways = [run_on(person, branch) for branch in (*made, *known)]
        tags = [each.replace("*", "x") for each in environment.tags]
        ways += [write(person, f"refs/tags/{name}", creates=True) for name in tags]
        verdict = max(ways, default=NEVER)
    if environment.reviewers and not (
        person.at_least("admin") and environment.admins_bypass
    ):
        own = set(environment.reviewers) & person.names
        if not own or environment.prevents_self_review:
            verdict = min(verdict, ONLY_IF)
    return verdict


def token_pushes(org: GithubOrganization, number: int, repo: Repository) -> int:
    """A push to the default branch by a personal access token."""
    token = next(t for t in org.tokens or () if t.id == number)
    chosen = token.selection == "all" or repo.name in (token.repositories or ())
    if token.pending or not chosen or ("contents", "write") not in token.permissions:
        return NEVER
    return push(Person(org, token.owner, repo), repo.default_branch)
