"""Tables of GitHub's roles and permissions, and of the actions that they allow.

A capability is named as GitHub names the permission of a custom role, where it has one.
"""

from collections.abc import Mapping

# Events that an account without write access can cause; the run uses the workflow file
# of the default branch, and its secrets.
# Source: https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows
OUTSIDE_TRIGGERS = (
    "discussion",
    "discussion_comment",
    "issue_comment",
    "issues",
    "pull_request_target",
    "workflow_run",
)

# Source: https://docs.github.com/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/repository-roles-for-an-organization
_GAINED: Mapping[str, tuple[str, ...]] = {
    "read": ("read",),
    "triage": ("triage",),
    "write": ("push", "workflows", "merge", "manage_secrets"),
    "maintain": ("push_protected_branch", "create_tag"),
    "admin": (
        "admin",
        "bypass_branch_protection",
        "edit_repo_protections",
        "manage_deploy_keys",
        "manage_environments",
        "manage_oidc_template",
        "delete_tag",
    ),
}


def _add_lower_roles() -> dict[str, frozenset[str]]:
    """Add the capabilities of the lower roles to each role."""
    found: dict[str, frozenset[str]] = {"none": frozenset()}
    so_far: frozenset[str] = frozenset()
    for role, gained in _GAINED.items():
        so_far |= frozenset(gained)
        found[role] = so_far
    return found


CAPABILITIES_OF_ROLE: Mapping[str, frozenset[str]] = _add_lower_roles()

# Source: https://docs.github.com/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
CAPABILITIES_OF_PERMISSION: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("contents", "read"): ("read",),
    ("contents", "write"): ("read", "push", "merge", "create_tag", "delete_tag"),
    ("workflows", "write"): ("workflows",),
    ("secrets", "write"): ("manage_secrets",),
    ("environments", "write"): ("manage_environments",),
    ("administration", "write"): (
        "push_protected_branch",
        "bypass_branch_protection",
        "edit_repo_protections",
        "manage_deploy_keys",
        "manage_environments",
    ),
}

PUSH_BYPASSES = frozenset(("push_protected_branch", "bypass_branch_protection"))

# "Deploy keys with write access can perform the same actions as an organization member
# with admin access": of these, what a Git client can ask for.
# Source: https://docs.github.com/authentication/connecting-to-github-with-ssh/managing-deploy-keys
CAPABILITIES_OF_DEPLOY_KEY: Mapping[bool, frozenset[str]] = {
    True: frozenset(("read",)),
    False: frozenset(
        (
            "read",
            "push",
            "workflows",
            "push_protected_branch",
            "bypass_branch_protection",
            "create_tag",
            "delete_tag",
        )
    ),
}

# Source: https://docs.github.com/organizations/managing-peoples-access-to-your-organization-with-roles/permissions-of-custom-organization-roles
ORGANIZATION_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "manage-roles": ("write_organization_custom_org_role",),
    "manage-repository-roles": ("write_organization_custom_repo_role",),
    "manage-secrets": ("write_organization_actions_secrets",),
    "manage-actions": ("write_organization_actions_settings",),
    "manage-rulesets": ("manage_organization_rulesets", "edit_org_ref_rules"),
    "admin": (),
}

# Capability that an action needs; None where a rule of its own decides.
ACTIONS: Mapping[str, Mapping[str, str | None]] = {
    "organization": dict.fromkeys(ORGANIZATION_ACTIONS),
    "repo": {
        "read": "read",
        "triage": "triage",
        "push": None,
        "create-branch": None,
        "edit-workflow": None,
        "mint-oidc": None,
        "manage-secrets": "manage_secrets",
        "manage-protection": "edit_repo_protections",
        "manage-keys": "manage_deploy_keys",
        "manage-environments": "manage_environments",
        "manage-oidc": "manage_oidc_template",
        "admin": "admin",
    },
    "branch": {
        "read": "read",
        "push": None,
        "merge": None,
        "edit-workflow": None,
    },
    "tag": {"push": None},
    "environment": {"deploy": None},
    "secret": {"read-secret": None},
    "runner": {"run-job": None},
    "run": {"mint-oidc": None},
}

DESCRIPTIONS: Mapping[str, str] = {
    "read": "read the code of a repository",
    "triage": "manage issues and pull requests",
    "push": "push commits to a branch, a tag, or some branch of a repository",
    "merge": "merge a pull request into a branch",
    "create-branch": "create a branch with a name of the pusher's choice",
    "edit-workflow": "push a workflow file that then runs",
    "read-secret": "read a secret in a workflow run",
    "deploy": "run a job in an environment",
    "run-job": "run a job on a self-hosted runner",
    "mint-oidc": "get an OIDC token of a workflow run",
    "admin": "administer a repository or the organization",
    "manage-protection": "edit branch protection and rulesets of a repository",
    "manage-keys": "add deploy keys",
    "manage-secrets": "set secrets",
    "manage-environments": "edit environments",
    "manage-oidc": "edit the OIDC subject template",
    "manage-roles": "edit custom organization roles",
    "manage-repository-roles": "edit custom repository roles",
    "manage-actions": "edit the Actions settings of the organization",
    "manage-rulesets": "edit rulesets of the organization",
}
