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


def spell_owner(member: Member) -> str:
    """Spell that a member owns the organization."""
    return f"owner {member.login}"


def spell_base_role(role: str) -> str:
    """Spell the base role of members."""
    return f"base role {role}"


def spell_organization_role(holder: str, role: str) -> str:
    """Format the statement that a user or a team has an organization role."""
    return f"organization role {role} for {holder}"


def spell_repository_grant(repository: str, role: str, holder: str) -> str:
    """Spell a role of a user or a team on a repository."""
    return f"{repository}: role {role} for {holder}"


def spell_membership(team: str, login: str) -> str:
    """Spell that a user is a member of a team."""
    return f"team {team}: member {login}"


def spell_parent(team: Team) -> str:
    """Spell that a team is a child of another."""
    return f"team {team.slug}: child of {team.parent}"


def spell_protection(repository: str, rule: BranchProtection) -> str:
    """Spell a branch protection rule."""
    return f"{repository}: branch protection {rule.pattern}"


def spell_allowance(
    repository: str, rule: BranchProtection, gate: str, holder: str
) -> str:
    """Spell an allowance of a branch protection rule."""
    return f"{spell_protection(repository, rule)}: {gate} allowance {holder}"


def spell_ruleset(holder: str, ruleset: Ruleset) -> str:
    """Spell a ruleset of a repository or of the organization."""
    return f"{holder}: ruleset {ruleset.name}"


def spell_bypass(holder: str, ruleset: Ruleset, actor: BypassActor) -> str:
    """Spell a bypass actor of a ruleset."""
    who = f"{actor.kind} {actor.name or actor.id}".strip()
    return f"{spell_ruleset(holder, ruleset)}: bypass {who} ({actor.mode})"


def spell_environment(repository: str, environment: Environment) -> str:
    """Spell the protection of an environment."""
    return f"{repository}: environment {environment.name}"


def spell_deploy_key(repository: str, key: DeployKey) -> str:
    """Spell a deploy key."""
    access = "read" if key.read_only else "write"
    return f"{repository}: deploy key {key.id} ({access})"


def spell_installation(app: AppInstallation) -> str:
    """Spell the installation of an app."""
    return f"installation of {app.slug}"


def format_token_statement(token: AccessToken) -> str:
    """Format a personal access token and its owner as one line of text."""
    return f"personal access token {token.id} of {token.owner}"
