"""Random small organizations, with every rule that the reference knows."""

from random import Random
from typing import Any

from answerable.reach.github.catalogue import GithubOrganization
from tests.reach.github.organization_builder import build_organization

LOGINS = ("ana", "eve")
ROLES = ("read", "write", "write", "maintain", "admin", "custom", "keeper")
PATTERNS = ("main", "*", "ma*", "**/*", "release/*", "release/one")
BRANCHES = ("main", "release/one")


def draw_organization(seed: int) -> GithubOrganization:
    """Draw an organization with one repository."""
    rng = Random(seed)  # noqa: S311 - cases, not keys
    names = [f"user/{each}" for each in LOGINS] + ["team/dev", "team/web"]

    def some(values: list[str], most: int) -> list[str]:
        return rng.sample(values, rng.randint(0, most))

    def flag(odds: float = 0.3) -> bool:
        return rng.random() < odds

    def protection() -> dict[str, Any]:
        return {
            "pattern": rng.choice(PATTERNS),
            "requires_reviews": flag(),
            "reviews_count": rng.choice([0, 1, 2]),
            "requires_status_checks": flag(0.15),
            "lock": flag(0.2),
            "enforce_admins": flag(0.5),
            "restricts_pushes": flag(0.5),
            "blocks_creations": flag(0.5),
            "review_bypass": some(names, 1),
            "push_allowances": some(names, 1),
        }

    def rule() -> dict[str, Any]:
        kind = rng.choice(
            ["creation", "update", "pull_request", "required_status_checks", "deletion"]
        )
        count = ["required_approving_review_count", rng.choice("012")]
        return {"type": kind, "parameters": [count] if kind == "pull_request" else []}

    def bypass() -> dict[str, Any]:
        kind = rng.choice(["Team", "RepositoryRole", "OrganizationAdmin"])
        named = {
            "Team": rng.choice(["dev", "web"]),
            "RepositoryRole": rng.choice(["write", "maintain", "admin"]),
        }
        mode = rng.choice(["always", "pull_request", "exempt"])
        return {"kind": kind, "name": named.get(kind, ""), "mode": mode}

    def ruleset(name: str) -> dict[str, Any]:
        include = ["~ALL", "~DEFAULT_BRANCH", "refs/heads/*", "refs/heads/release/*"]
        return {
            "name": name,
            "target": rng.choice(["branch", "branch", "tag"]),
            "enforcement": rng.choice(["active", "active", "evaluate", "disabled"]),
            "refs_include": [rng.choice(include)],
            "refs_exclude": ["refs/heads/main"] if flag(0.1) else [],
            "repositories_include": [rng.choice(["~ALL", "sh*", "other"])],
            "rules": [rule() for _ in range(rng.randint(0, 2))],
            "bypass": [bypass() for _ in range(rng.randint(0, 2))],
        }

    def grants(holders: list[str]) -> list[list[str]]:
        return [[each, rng.choice(ROLES)] for each in some(holders, 1)]

    environment = {
        "name": "prod",
        "reviewers": some(names, 1),
        "prevents_self_review": flag(),
        "admins_bypass": flag(0.5),
        "branches": rng.choice([None, ["main"], ["release/*"], ["main", "v*"]]),
        "tags": ["v*"] if flag(0.2) else [],
    }
    repository = {
        "archived": flag(0.08),
        "branches": list(BRANCHES),
        "collaborators": grants(list(LOGINS)),
        "teams": grants(["dev", "web"]),
        "protections": [protection() for _ in range(rng.choice([0, 1, 1, 2]))],
        "rulesets": [ruleset("own")] if flag() else [],
        "environments": [environment],
    }
    extra = ["push_protected_branch", "bypass_branch_protection"]
    return build_organization(
        {
            "base_role": rng.choice(["none", "none", "read", "write"]),
            "members": [
                {
                    "login": each,
                    "role": rng.choice(["member", "member", "owner", "outside"]),
                }
                for each in LOGINS
                if flag(0.7)
            ],
            "teams": [
                {"slug": "dev", "members": [["ana", "member"]] if flag(0.3) else []},
                {
                    "slug": "web",
                    "parent": "dev" if flag(0.6) else "",
                    "members": [["ana", "member"]] if flag(0.5) else [],
                },
            ],
            "repository_roles": [
                {"name": "custom", "base": "write", "permissions": some(extra, 2)},
                {"name": "keeper", "base": "read", "permissions": some(extra, 2)},
            ],
            "rulesets": [ruleset("shared")] if flag(0.2) else [],
            "tokens": [
                {
                    "id": 1,
                    "owner": "ana",
                    "permissions": [["contents", rng.choice(["read", "write"])]],
                    "selection": rng.choice(["all", "subset"]),
                    "repositories": [rng.choice(["shop", "other"])],
                    "pending": flag(0.1),
                }
            ],
            "repositories": [repository],
        }
    )
