"""Types of GitHub's REST responses: the fields that are read, without any secret value.

Source: https://docs.github.com/rest
"""

import msgspec


class _RestAnswer(msgspec.Struct, frozen=True):
    """Base of answers; fields that are not listed are ignored."""


class UserAnswer(_RestAnswer, frozen=True):
    """User, as lists of members and collaborators have it."""

    login: str
    id: int = 0
    type: str = "User"
    email: str | None = None
    role_name: str | None = None
    permissions: dict[str, bool] | None = None


class TeamReference(_RestAnswer, frozen=True):
    """Team that another answer names."""

    slug: str
    id: int = 0


class TeamAnswer(_RestAnswer, frozen=True):
    """Team; `permission` is its role where a repository lists it."""

    slug: str
    name: str = ""
    id: int = 0
    permission: str | None = None
    role_name: str | None = None
    parent: TeamReference | None = None


class OrganizationAnswer(_RestAnswer, frozen=True):
    """Organization; owners alone see its settings."""

    login: str
    id: int = 0
    default_repository_permission: str | None = None


class OwnerAnswer(_RestAnswer, frozen=True):
    """Account that owns a repository or an app."""

    login: str
    type: str = ""
    id: int = 0


class RepositoryAnswer(_RestAnswer, frozen=True):
    """Repository."""

    name: str
    id: int = 0
    full_name: str = ""
    owner: OwnerAnswer | None = None
    private: bool | None = None
    visibility: str | None = None
    archived: bool = False
    default_branch: str | None = None
    created_at: str | None = None


class RoleAnswer(_RestAnswer, frozen=True):
    """Organization role, or custom repository role; `base_role` names its base."""

    name: str
    id: int = 0
    permissions: tuple[str, ...] = ()
    base_role: str | None = None


class SecretAnswer(_RestAnswer, frozen=True):
    """Secret, by name."""

    name: str
    visibility: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class InstallationAnswer(_RestAnswer, frozen=True):
    """Installation of a GitHub App."""

    id: int
    app_id: int
    app_slug: str
    repository_selection: str
    permissions: dict[str, str]
    suspended_at: str | None = None
    created_at: str | None = None


class AppAnswer(_RestAnswer, frozen=True):
    """GitHub App."""

    slug: str
    id: int = 0
    owner: OwnerAnswer | None = None


class TokenAnswer(_RestAnswer, frozen=True):
    """Fine-grained personal access token, or a request for one."""

    id: int
    owner: OwnerAnswer
    repository_selection: str
    permissions: dict[str, dict[str, str]]
    token_id: int = 0
    token_name: str | None = None
    token_expired: bool = False
    token_expires_at: str | None = None
    token_last_used_at: str | None = None


class RunnerGroupAnswer(_RestAnswer, frozen=True):
    """Group of self-hosted runners."""

    id: int
    name: str
    visibility: str
    allows_public_repositories: bool = False


class RunnerLabelAnswer(_RestAnswer, frozen=True):
    """Label of a runner."""

    name: str


class RunnerAnswer(_RestAnswer, frozen=True):
    """Self-hosted runner."""

    name: str
    labels: tuple[RunnerLabelAnswer, ...] = ()


class BranchAnswer(_RestAnswer, frozen=True):
    """Branch."""

    name: str


class DeployKeyAnswer(_RestAnswer, frozen=True):
    """Deploy key; the public key itself is not read."""

    id: int
    title: str
    read_only: bool
    added_by: str | None = None
    created_at: str | None = None
    last_used: str | None = None


class WorkflowAnswer(_RestAnswer, frozen=True):
    """Workflow of a repository."""

    path: str
    state: str = "active"
    id: int = 0


class ContentAnswer(_RestAnswer, frozen=True):
    """File of a repository."""

    path: str
    content: str
    encoding: str


class WorkflowPermissionsAnswer(_RestAnswer, frozen=True):
    """Default permissions of GITHUB_TOKEN."""

    default_workflow_permissions: str
    can_approve_pull_request_reviews: bool | None = None


class ActionsPermissionsAnswer(_RestAnswer, frozen=True):
    """Actions settings of a repository: enabled or disabled."""

    enabled: bool


class ForkApprovalAnswer(_RestAnswer, frozen=True):
    """Policy for workflow runs of pull requests from forks."""

    approval_policy: str


class OidcAnswer(_RestAnswer, frozen=True):
    """Template of the OIDC subject."""

    include_claim_keys: tuple[str, ...] = ()
    use_default: bool = False
    use_immutable_subject: bool | None = None
