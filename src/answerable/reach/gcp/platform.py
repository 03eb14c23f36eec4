"""Google Cloud as a permission platform: format of ids and calls."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.reach.cross_platform_steps import CrossPlatformSteps
from answerable.reach.platform import (
    AppliedEdit,
    ConditionContext,
    PermissionEvaluator,
    PolicyEdit,
    Question,
)

if TYPE_CHECKING:
    from answerable.reach.gcp.estate_access import EstateAccess
    from answerable.reach.gcp.evaluator import GcpEvaluator
    from answerable.reach.gcp.role_catalogue import PredefinedRoles
    from answerable.reach.token_trust import TokenTrusts

PLATFORM = "gcp"
AWS = "aws"
KUBERNETES = "kubernetes"
GOOGLE_ISSUER = "accounts.google.com"
_MARKS = (
    "//",
    "gs://",
    "projects/",
    "folders/",
    "organizations/",
    "user:",
    "group:",
    "domain:",
    "principal",
    "serviceAccount:",
    "project",
    "allUsers",
    "allAuthenticatedUsers",
)
_SUFFIX = ".gserviceaccount.com"


# A question imports only the modules that answer it.
@dataclass(frozen=True, slots=True)
class GcpPlatform:
    """IAM of Google Cloud: allow and deny policies, boundaries, and steps.

    Attributes:
        load_roles: Loads the permissions of predefined roles.
    """

    load_roles: "Callable[[], PredefinedRoles]"
    name: str = PLATFORM
    kinds: tuple[str, ...] = ("gcp-", "gcloud-")

    def owns(self, key: str) -> bool:
        """Return whether an id is of a principal or a resource of Google Cloud."""
        if not key.startswith(_MARKS) and not key.endswith(_SUFFIX):
            return False
        from answerable.model import google_cloud_ids as ids

        return ids.is_principal(key) or ids.is_resource(ids.expand_resource_name(key))

    def parse_call(
        self, inventory: Inventory, action: str, resource: str
    ) -> tuple[str, str]:
        """Parse a permission, and the name of a resource."""
        if not self.owns(resource) and not has_estate(inventory):
            raise UsageError(
                f"no scanned resource is named {resource[:80]!r}",
                "scan its platform first: answerable scan",
            )
        from answerable.reach.gcp import call_parsing

        return call_parsing.parse_call(self.get_access(inventory), action, resource)

    def suggest_actions(self, prefix: str) -> Iterable[tuple[str, str]]:
        """Suggest permissions while one is typed."""
        known = self.load_roles().permissions if prefix else ()
        return [(each, "permission") for each in known if each.startswith(prefix)]

    def parse_session(
        self, inventory: Inventory, subject: str, context: ConditionContext
    ) -> tuple[str, ConditionContext]:
        """Return both unchanged: a session has no id of its own."""
        return subject, context

    def find_external(self, inventory: Inventory, text: str) -> str | None:
        """Find a principal that no scan names, in any format."""
        if not self.owns(text):
            return None
        from answerable.model import google_cloud_ids as ids

        return ids.normalise_principal(text) if ids.is_principal(text) else None

    def get_access(self, inventory: Inventory) -> "EstateAccess":
        """Return the index of a snapshot."""
        from answerable.reach.gcp import evaluator

        return evaluator.get_access(inventory, self.load_roles)

    def open(self, inventory: Inventory, question: Question) -> "GcpEvaluator":
        """Index the estate of a snapshot, or reuse the index."""
        from answerable.reach.gcp import evaluator

        return evaluator.GcpEvaluator(self.get_access(inventory))

    def open_edit(
        self, inventory: Inventory, question: Question, edit: PolicyEdit
    ) -> AppliedEdit:
        """Take bindings and deny rules away."""
        from answerable.reach.gcp import snapshot_comparison

        before = self.get_access(inventory)
        return snapshot_comparison.apply_edit(inventory, before, edit, self.load_roles)

    def open_comparison(
        self, before: Inventory, after: Inventory, question: Question
    ) -> AppliedEdit:
        """Compare the estates of two snapshots."""
        from answerable.reach.gcp import snapshot_comparison

        sides = self.get_access(before), self.get_access(after)
        return snapshot_comparison.compare_estates(after, *sides, own_rows=True)

    def compile_snapshot(self, inventory: Inventory, before: Inventory | None) -> None:
        """Index the estate of a snapshot once for all questions."""
        if has_estate(inventory):
            self.get_access(inventory)


def has_estate(inventory: Inventory) -> bool:
    """Return whether a snapshot has data of Google Cloud."""
    return PLATFORM in inventory.facts.list_catalogue_platforms()


@dataclass(frozen=True, slots=True)
class PoolPrincipals:
    """Steps from identities of AWS or Kubernetes to principals of identity pools."""

    platform: GcpPlatform
    origin: str
    target: str = PLATFORM
    is_complete: bool = True

    def list_steps(
        self,
        inventory: Inventory,
        question: Question,
        edited: Mapping[str, PermissionEvaluator],
    ) -> CrossPlatformSteps:
        """List the steps of all collected identities."""
        if not has_estate(inventory):
            return CrossPlatformSteps()
        from answerable.reach.gcp import pool_entry_steps

        found = edited.get(PLATFORM) or self.platform.open(inventory, question)
        access = cast("GcpEvaluator", found).access

        def build(_: Inventory) -> CrossPlatformSteps:
            if self.origin == AWS:
                return pool_entry_steps.list_aws_steps(access.index, inventory)
            return pool_entry_steps.list_kubernetes_steps(
                access.index, inventory, edited.get(KUBERNETES)
            )

        if edited:
            return build(inventory)
        key = f"google cloud principals of {self.origin}"
        return inventory.get_or_compute_value(key, build)


@dataclass(frozen=True, slots=True)
class ServiceAccountTokens:
    """Steps from service accounts to identities that trust tokens of Google."""

    platform: GcpPlatform
    open_trusts: "Callable[[Inventory, Question], TokenTrusts]"
    target: str
    origin: str = PLATFORM
    is_complete: bool = True

    def list_steps(
        self,
        inventory: Inventory,
        question: Question,
        edited: Mapping[str, PermissionEvaluator],
    ) -> CrossPlatformSteps:
        """List the steps of all collected service accounts."""
        trusts = cast("TokenTrusts | None", edited.get(self.target))
        if trusts is None:
            trusts = self.open_trusts(inventory, replace(question, identities=()))
        if (
            not has_estate(inventory)
            and GOOGLE_ISSUER not in trusts.list_token_issuers()
        ):
            return CrossPlatformSteps()
        from answerable.reach.gcp import pool_entry_steps

        index = None
        if has_estate(inventory):
            found = edited.get(PLATFORM) or self.platform.open(inventory, question)
            index = cast("GcpEvaluator", found).access.index
        return pool_entry_steps.list_service_account_steps(index, trusts)
