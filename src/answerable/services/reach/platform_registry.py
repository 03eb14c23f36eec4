"""Register the permission platforms, and the steps between them.

The first platform takes calls that no other owns.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.inventory import Inventory
from answerable.reach.aws.compiled_graph import AwsHost
from answerable.reach.aws.platform import AwsPlatform
from answerable.reach.cross_platform_steps import CrossPlatformStepSource
from answerable.reach.gcp.platform import (
    GcpPlatform,
    PoolPrincipals,
    ServiceAccountTokens,
)
from answerable.reach.github.platform import (
    GithubPlatform,
    KubeconfigSecretSteps,
    WorkflowTokenSteps,
)
from answerable.reach.kubernetes.platform import (
    CloudUsers,
    KubernetesPlatform,
    ServiceAccountRoles,
)
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import (
    PermissionEvaluator,
    PermissionPlatform,
    Question,
)
from answerable.reach.postgres.platform import PostgresPlatform
from answerable.services.reach.stated_request_context import read_added_policy

if TYPE_CHECKING:
    from answerable.reach.gcp.role_catalogue import PredefinedRoles
    from answerable.reach.token_trust import TokenTrusts


def _pause_garbage_collection() -> AbstractContextManager[None]:
    """Pause the garbage collector, while a snapshot is compiled."""
    from answerable.services.python_gc_pause import pause_garbage_collection

    return pause_garbage_collection()


def _shorten_policy_name(policy: str) -> str:
    """Shorten the name of a policy as answers print it."""
    from answerable.presentation.policy_condition_text import shorten_policy_name

    return shorten_policy_name(policy)


AWS = AwsPlatform(
    AwsHost(
        load_catalogue=load_catalogue,
        pause_collection=_pause_garbage_collection,
        read_policy=read_added_policy,
        shorten_policy_name=_shorten_policy_name,
    )
)


def load_google_roles() -> "PredefinedRoles":
    """Load the packaged catalogue of Google Cloud roles, when a question needs it."""
    from answerable.connectors.gcp_roles.fetch import load_predefined_roles

    return load_predefined_roles()


def open_role_trusts(inventory: Inventory, question: Question) -> "TokenTrusts":
    """Open the trust policies of roles; AWS is not imported where there are none."""
    if not inventory.facts.has_policies():
        from answerable.reach.token_trust import NoTokenTrusts

        return NoTokenTrusts()
    return AWS.open(inventory, question)


GCP = GcpPlatform(load_google_roles)
PLATFORMS: tuple[PermissionPlatform, ...] = (
    AWS,
    PostgresPlatform(),
    KubernetesPlatform(),
    GithubPlatform(),
    GCP,
)
STEP_SOURCES: tuple[CrossPlatformStepSource, ...] = (
    ServiceAccountRoles(open_role_trusts, AWS.name),
    CloudUsers(AWS.name),
    CloudUsers(GCP.name),
    WorkflowTokenSteps(open_role_trusts, AWS.name),
    KubeconfigSecretSteps(),
    WorkflowTokenSteps(GCP.open, GCP.name),
    PoolPrincipals(GCP, AWS.name),
    PoolPrincipals(GCP, "kubernetes"),
    ServiceAccountTokens(GCP, open_role_trusts, AWS.name),
)


def open_platforms(
    inventory: Inventory,
    question: Question,
    edited: Mapping[str, PermissionEvaluator] | None = None,
) -> OpenPlatforms:
    """Open AWS, Kubernetes, PostgreSQL and other platforms for a question.

    Args:
        edited: Evaluators by name of the platform, in place of those of the snapshot.
    """
    return OpenPlatforms(PLATFORMS, STEP_SOURCES, inventory, question, edited or {})
