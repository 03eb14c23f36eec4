"""Quote grants and rules as determining statements; an edit removes them by these."""

from answerable.reach.github.catalogue import (
    AccessToken,
    AppInstallation,
    BranchProtection,
    BypassActor,
    DeployKey,
    Environment,
    Member,
    Ruleset,
    Team,
)
from answerable.reach.platform import DeterminingStatement

ALLOW, DENY = "allow", "deny"


def quote(
    layer: str, holder: str, statement: str, place: str = "", effect: str = ALLOW
) -> DeterminingStatement:
    """Build a determining statement, with the place of its record if it has one."""
    file, mark, part = place.partition("#")
    where = f" [{file.rpartition('/')[2]}{mark}{part}]" if place else ""
    return DeterminingStatement(layer, holder, f"{statement}{where}", effect)


def format_owner_statement(member: Member) -> str:
    """State that a member owns the organization."""
    return f"owner {member.login}"


def format_base_role_statement(role: str) -> str:
    """Format the base role of members."""
    return f"base role {role}"


def format_organization_role_statement(holder: str, role: str) -> str:
    """Format the statement that a user or a team has an organization role."""
    return f"organization role {role} for {holder}"


def format_repository_grant_statement(repository: str, role: str, holder: str) -> str:
    """Format a role of a user or a team on a repository."""
    return f"{repository}: role {role} for {holder}"


def format_membership_statement(team: str, login: str) -> str:
    """State that a user is a member of a team."""
    return f"team {team}: member {login}"


def format_parent_statement(team: Team) -> str:
    """State that a team is a child of another."""
    return f"team {team.slug}: child of {team.parent}"


def format_protection_statement(repository: str, rule: BranchProtection) -> str:
    """Format a branch protection rule."""
    return f"{repository}: branch protection {rule.pattern}"


def format_allowance_statement(
    repository: str, rule: BranchProtection, gate: str, holder: str
) -> str:
    """Format an allowance of a branch protection rule."""
    return f"{format_protection_statement(repository, rule)}: {gate} allowance {holder}"


def format_ruleset_statement(holder: str, ruleset: Ruleset) -> str:
    """Format a ruleset of a repository or of the organization."""
    return f"{holder}: ruleset {ruleset.name}"


def format_bypass_statement(holder: str, ruleset: Ruleset, actor: BypassActor) -> str:
    """Format a bypass actor of a ruleset."""
    who = f"{actor.kind} {actor.name or actor.id}".strip()
    return f"{format_ruleset_statement(holder, ruleset)}: bypass {who} ({actor.mode})"


def format_environment_statement(repository: str, environment: Environment) -> str:
    """Format the protection of an environment."""
    return f"{repository}: environment {environment.name}"


def format_deploy_key_statement(repository: str, key: DeployKey) -> str:
    """Format a deploy key."""
    access = "read" if key.read_only else "write"
    return f"{repository}: deploy key {key.id} ({access})"


def format_installation_statement(app: AppInstallation) -> str:
    """Format the installation of an app."""
    return f"installation of {app.slug}"


def format_token_statement(token: AccessToken) -> str:
    """Format a personal access token and its owner as one line of text."""
    return f"personal access token {token.id} of {token.owner}"
