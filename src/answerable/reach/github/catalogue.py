"""Types of a collected GitHub organization: members, roles, rules, workflows, tokens.

A connector builds an `GithubOrganization` from each source and stores it in a snapshot;
several sources may describe one, each a part of it. No field holds a secret value.
"""

from dataclasses import dataclass

# Repository roles by rank; a custom role names its base.
# Source: https://docs.github.com/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/repository-roles-for-an-organization
ROLES = ("none", "read", "triage", "write", "maintain", "admin")


@dataclass(frozen=True, slots=True)
class Member:
    """Member or outside collaborator of the organization.

    Attributes:
        role: `owner`, `member` or `outside`.
    """

    login: str
    role: str
    id: int = 0
    email: str = ""
    organization_roles: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Team:
    """Team; its repositories' roles pass down to its child teams' members.

    Attributes:
        members: Logins with the role in the team: (`ana`, `member`|`maintainer`); None
            where not collected.
    """

    slug: str
    parent: str = ""
    members: tuple[tuple[str, str], ...] | None = None
    organization_roles: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class RepositoryRole:
    """Custom repository role: a base role and additional permissions."""

    name: str
    base: str
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrganizationRole:
    """Organization role: permissions, and a base repository role on all repositories."""

    name: str
    permissions: tuple[str, ...] = ()
    repository_role: str = ""


@dataclass(frozen=True, slots=True)
class BranchProtection:
    """Branch protection rule.

    Source: https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches/about-protected-branches

    Attributes:
        pattern: fnmatch pattern of branch names (`*` does not match `/`).
        requires_reviews: A pull request with approvals is required.
        restricts_pushes: Only `push_allowances` may push.
        blocks_creations: Matching branches may not be created either.
        review_bypass: Actors that may bypass required pull requests: `user/LOGIN`,
            `team/SLUG`, `app/SLUG`.
        push_allowances: The same spelling.
    """

    pattern: str
    requires_reviews: bool = False
    reviews_count: int = 0
    requires_code_owner_reviews: bool = False
    requires_status_checks: bool = False
    requires_deployments: bool = False
    lock: bool = False
    enforce_admins: bool = False
    restricts_pushes: bool = False
    blocks_creations: bool = False
    allows_force_pushes: bool = False
    allows_deletions: bool = False
    review_bypass: tuple[str, ...] = ()
    push_allowances: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class BypassActor:
    """Bypass actor of a ruleset.

    Attributes:
        kind: `Team`, `Integration`, `RepositoryRole`, `OrganizationAdmin`, `DeployKey`.
        name: Slug, app or role; empty where the id could not be resolved.
        mode: `always`, `pull_request` or `exempt`.
    """

    kind: str
    name: str
    mode: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class RulesetRule:
    """Rule of a ruleset: its type and its parameters as sorted pairs of text."""

    type: str
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Ruleset of a repository or of the organization.

    Source: https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/about-rulesets

    Attributes:
        target: `branch`, `tag` or `push`.
        enforcement: `active`, `evaluate` or `disabled`.
        refs_include: ref patterns; `~DEFAULT_BRANCH` and `~ALL` as GitHub writes them.
        repositories_include: For an organization's ruleset: name patterns, `~ALL`.
        rules: None where only the summary was collected.
        bypass: None where not collected (a reader without write access sees none).
    """

    name: str
    target: str = "branch"
    enforcement: str = "active"
    refs_include: tuple[str, ...] = ()
    refs_exclude: tuple[str, ...] = ()
    repositories_include: tuple[str, ...] = ()
    repositories_exclude: tuple[str, ...] = ()
    rules: tuple[RulesetRule, ...] | None = ()
    bypass: tuple[BypassActor, ...] | None = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Environment:
    """Deployment environment with its protection.

    Attributes:
        reviewers: `user/LOGIN`, `team/SLUG`; empty for none.
        branches: Patterns of branches that may deploy; None for any branch or tag.
        tags: Patterns of tags that may deploy, where branches are restricted.
        protected_branches: Only protected branches may deploy.
        admins_bypass: Whether administrators may bypass the protection.
        secrets: Names of its secrets; None where not collected.
        wait_minutes: Wait timer in minutes.
        protection_collected: False where a source has only its name.
    """

    name: str
    reviewers: tuple[str, ...] = ()
    prevents_self_review: bool = False
    wait_minutes: int = 0
    branches: tuple[str, ...] | None = None
    protected_branches: bool = False
    admins_bypass: bool = True
    secrets: tuple[str, ...] | None = None
    custom_rules: tuple[str, ...] = ()
    place: str = ""
    protection_collected: bool = True
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkflowJob:
    """Job of a workflow.

    Attributes:
        permissions: Sorted pairs (scope, `read`|`write`|`none`); None where neither the
            job nor the workflow states any: the default decides.
        secrets: Names of secrets that it reads; `*` for `secrets: inherit` or a dynamic
            name.
        runner: Labels of `runs-on`; a label with an expression is `*`.
        uses: `OWNER/REPO/PATH@REF` of a called workflow, else empty.
        roles: AWS role ARNs it assumes, and other cloud targets, as written.
        checks_out_head: Checks out code of a pull request's head.
        injections: Expressions of an outsider's text in a script.
        kubeconfigs: Names of secrets that it uses as a kubeconfig.
    """

    name: str
    permissions: tuple[tuple[str, str], ...] | None = None
    secrets: tuple[str, ...] = ()
    environment: str = ""
    runner: tuple[str, ...] = ()
    uses: str = ""
    roles: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    checks_out_head: bool = False
    injections: tuple[str, ...] = ()
    kubeconfigs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """Workflow file on one branch.

    Attributes:
        triggers: Event names (`push`, `pull_request_target`, ...), sorted.
        branches: Filters of push and pull_request events; empty for none.
        contents_collected: False where the file was listed and not read: its triggers
            and jobs are not known.
        disabled: True where GitHub does not run it.
    """

    path: str
    branch: str
    triggers: tuple[str, ...]
    branches: tuple[str, ...] = ()
    jobs: tuple[WorkflowJob, ...] = ()
    place: str = ""
    contents_collected: bool = True
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class DeployKey:
    """Deploy key of a repository."""

    id: int
    title: str
    read_only: bool
    added_by: str = ""
    created_at: int = 0
    last_used_at: int = 0
    place: str = ""


@dataclass(frozen=True, slots=True)
class OidcTemplate:
    """Customization of the OIDC subject claim.

    Source: https://docs.github.com/actions/reference/security/oidc

    Attributes:
        include_claims: Claim keys of the template; empty for the default.
        immutable: Whether the subject has the form with ids.
    """

    include_claims: tuple[str, ...] = ()
    use_default: bool = True
    immutable: bool | None = None


@dataclass(frozen=True, slots=True)
class Repository:
    """Repository with its access, rules and workflows.

    Attributes:
        created_at: UTC nanoseconds; 0 where not collected.
        collaborators: (login, role) of direct grants; None where not collected.
        teams: (slug, role); None where not collected.
        protections, rulesets, environments, secrets, workflows, deploy_keys: None where
            not collected. Rulesets of the organization are in `GithubOrganization`.
        branches: Names of branches; None where not collected.
        default_token_permission: `read` or `write` of GITHUB_TOKEN; empty where not
            collected.
        fork_approval: Policy for workflows of fork pull requests, as GitHub names it.
        codeowners: Pairs (pattern, owners) of CODEOWNERS in order.
    """

    name: str
    id: int = 0
    visibility: str = ""
    archived: bool = False
    default_branch: str = ""
    created_at: int = 0
    collaborators: tuple[tuple[str, str], ...] | None = None
    teams: tuple[tuple[str, str], ...] | None = None
    branches: tuple[str, ...] | None = None
    protections: tuple[BranchProtection, ...] | None = None
    rulesets: tuple[Ruleset, ...] | None = None
    environments: tuple[Environment, ...] | None = None
    secrets: tuple[str, ...] | None = None
    workflows: tuple[Workflow, ...] | None = None
    deploy_keys: tuple[DeployKey, ...] | None = None
    runners: tuple[str, ...] | None = None
    oidc: OidcTemplate | None = None
    default_token_permission: str = ""
    actions_enabled: bool | None = None
    approves_pull_requests: bool | None = None
    codeowners: tuple[tuple[str, tuple[str, ...]], ...] = ()
    place: str = ""
    fork_approval: str = ""


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """Secret of the organization: `all`, `private` or `selected` repositories."""

    name: str
    visibility: str
    repositories: tuple[str, ...] | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class AppInstallation:
    """Installation of a GitHub App.

    Attributes:
        permissions: Sorted pairs (permission, access).
        selection: `all` or `selected`.
        repositories: Selected repositories; None where not collected.
        owner: Login of the account that owns the app; empty where not collected.
    """

    slug: str
    app_id: int
    permissions: tuple[tuple[str, str], ...]
    selection: str
    repositories: tuple[str, ...] | None = None
    suspended: bool = False
    installation_id: int = 0
    created_at: int = 0
    place: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Fine-grained personal access token, or a request for one.

    Attributes:
        permissions: Sorted pairs (permission, access).
        selection: `all`, `subset` or `none`.
        expires_at: UTC nanoseconds; 0 for never or not known.
        token_id: Id of the token in audit events; `id` is the id of the grant.
        expired: True where the platform says so.
    """

    id: int
    owner: str
    permissions: tuple[tuple[str, str], ...]
    selection: str
    name: str = ""
    repositories: tuple[str, ...] | None = None
    pending: bool = False
    expires_at: int = 0
    last_used_at: int = 0
    place: str = ""
    token_id: int = 0
    expired: bool = False


@dataclass(frozen=True, slots=True)
class RunnerGroup:
    """Group of self-hosted runners of the organization."""

    name: str
    visibility: str
    repositories: tuple[str, ...] | None = None
    allows_public: bool = False
    runners: tuple[str, ...] | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class GithubOrganization:
    """Collected part of one organization.

    Attributes:
        login: Name in ids, lower case.
        base_role: Default repository permission of members; empty where not collected.
        collected: Kinds that were collected completely, in the words of coverage.
        unread: API paths of parts that could not be read (`repos/ORG/NAME/rulesets`).
    """

    login: str
    id: int = 0
    host: str = "github.com"
    base_role: str = ""
    default_token_permission: str = ""
    collected: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    members: tuple[Member, ...] | None = None
    teams: tuple[Team, ...] | None = None
    repository_roles: tuple[RepositoryRole, ...] | None = None
    organization_roles: tuple[OrganizationRole, ...] | None = None
    repositories: tuple[Repository, ...] | None = None
    rulesets: tuple[Ruleset, ...] | None = None
    secrets: tuple[SharedSecret, ...] | None = None
    installations: tuple[AppInstallation, ...] | None = None
    tokens: tuple[AccessToken, ...] | None = None
    runner_groups: tuple[RunnerGroup, ...] | None = None
    oidc: OidcTemplate | None = None
