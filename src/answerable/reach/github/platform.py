"""GitHub as a permission platform: format of ids and calls, and its evaluator."""

from collections.abc import (
    Callable,
    Collection,
    Container,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.reach.cross_platform_steps import CrossPlatformSteps
from answerable.reach.platform import (
    Answer,
    AnswerList,
    AppliedEdit,
    ConditionContext,
    PageBounds,
    PathHop,
    PermissionEvaluator,
    PlatformScope,
    PolicyEdit,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

if TYPE_CHECKING:
    from answerable.model.github_ids import GitHubResource
    from answerable.reach.github.organization_index import OrganizationIndex
    from answerable.reach.token_trust import TokenTrusts

PLATFORM = "github"
SOURCE = "github"
_PREFIX = "github:"


# A question imports only the modules that answer it.
@dataclass(frozen=True, slots=True)
class GithubEvaluator:
    """Permissions of the GitHub organizations of one snapshot, by id."""

    organizations: "Mapping[str, OrganizationIndex]"

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        """Return an identity, with the reason if nothing is known about it."""
        from answerable.reach.github.identity_lists import resolve_identity

        return resolve_identity(self.organizations, start)

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        """Return no step: no workflow's token enters a GitHub identity."""
        return ()

    def find_paths(
        self, starts: Sequence[SubjectIdentity], targets: Collection[IdentityId]
    ) -> Iterator[SubjectIdentity]:
        """Find the paths of identities to the workflow runs of `targets`."""
        from answerable.reach.github.run_paths import find_paths_to_runs

        return find_paths_to_runs(self.organizations, starts, targets)

    def find_nearest_paths(
        self, targets: Collection[IdentityId], skipped: Container[str]
    ) -> Iterator[SubjectIdentity]:
        """Find one path of each known caller to any of the runs of `targets`."""
        from answerable.reach.github.run_paths import find_nearest_paths_to_runs

        return find_nearest_paths_to_runs(self.organizations, targets, skipped)

    def continue_from(self, start: SubjectIdentity) -> SubjectIdentity:
        """Return the identity unchanged: it takes each step as itself."""
        return start

    def name_credential_source(self, account: str) -> str:
        """Name the scan source that describes tokens and keys."""
        return SOURCE

    def evaluate(self, question: Question) -> Answer:
        """Evaluate one call for some identities, with proof and assumptions."""
        from answerable.reach.github.call_evaluation import evaluate_call

        resource = _get_parsed_resource(question)
        return evaluate_call(self.organizations, question, resource)

    def list_permissions(self, question: Question, page: PageBounds) -> AnswerList:
        """List what some identities can do, themselves and by steps."""
        from answerable.reach.answer_items import cut_answer_page
        from answerable.reach.github.permission_lists import list_rows_of_identities

        rows = list_rows_of_identities(self.organizations, question)
        return cut_answer_page(rows, page)

    def list_callers(self, question: Question, page: PageBounds) -> AnswerList:
        """List all identities that can make one call, the surest first."""
        from answerable.reach.github.permission_lists import list_callers_of_call

        resource = _get_parsed_resource(question)
        return list_callers_of_call(self.organizations, question, resource, page)

    def describe_scope(self) -> PlatformScope:
        """Describe the collected identities and organizations."""
        from answerable.reach.github.identity_lists import list_identities

        found = {
            str(each)
            for index in self.organizations.values()
            for each in list_identities(index)
        }
        logins = sorted(index.login for index in self.organizations.values())
        return PlatformScope(len(found), tuple(logins), (), SOURCE)


def _get_parsed_resource(question: Question) -> "GitHubResource":
    """Return the resource of a parsed call.

    Raises:
        UsageError: The call was not parsed for this platform.
    """
    from answerable.model.github_ids import parse_resource_id

    found = parse_resource_id(question.resource)
    if found is None:
        raise UsageError(f"not a GitHub resource (got {question.resource[:80]!r})")
    return found


@dataclass(frozen=True, slots=True)
class GithubPlatform:
    """Roles, protections, workflows and tokens of GitHub organizations."""

    name: str = PLATFORM
    kinds: tuple[str, ...] = ("github-",)

    def owns(self, key: str) -> bool:
        """Return whether an id is of an identity or a resource of an organization."""
        if not key.startswith(_PREFIX):
            return False
        from answerable.model.github_ids import parse_resource_id, parse_subject_id

        return parse_subject_id(key) is not None or parse_resource_id(key) is not None

    def parse_call(
        self, inventory: Inventory, action: str, resource: str
    ) -> tuple[str, str]:
        """Parse an action, and the id or the name of a resource."""
        from answerable.reach.github.call_parsing import parse_action, parse_resource

        parsed = parse_action(action)
        organizations = get_organizations(inventory)
        return parsed, str(parse_resource(organizations, parsed, resource))

    def suggest_actions(self, prefix: str) -> Iterable[tuple[str, str]]:
        """Suggest actions while one is typed."""
        from answerable.reach.github.vocabulary import DESCRIPTIONS

        return [
            (name, text)
            for name, text in sorted(DESCRIPTIONS.items())
            if name.startswith(prefix.lower())
        ]

    def parse_session(
        self, inventory: Inventory, subject: str, context: ConditionContext
    ) -> tuple[str, ConditionContext]:
        """Return both unchanged: a session has no id of its own."""
        return subject, context

    def find_external(self, inventory: Inventory, text: str) -> str | None:
        """Find an identity that no scan describes."""
        if not text.startswith(_PREFIX):
            return None
        from answerable.reach.github.call_evaluation import parse_identity

        return text if parse_identity(text) else None

    def open(self, inventory: Inventory, question: Question) -> GithubEvaluator:
        """Index the organizations of a snapshot, or reuse the index."""
        return GithubEvaluator(get_organizations(inventory))

    def open_edit(
        self, inventory: Inventory, question: Question, edit: PolicyEdit
    ) -> AppliedEdit:
        """Take grants, bypasses or protections away."""
        from answerable.reach.github.catalogue_edit import remove_statements
        from answerable.reach.github.organization_index import index_organizations

        edited = remove_statements(inventory.facts.catalogues, edit)
        before, after = get_organizations(inventory), index_organizations(edited)
        return _compare_organizations(inventory, before, after)

    def open_comparison(
        self, before: Inventory, after: Inventory, question: Question
    ) -> AppliedEdit:
        """Compare the organizations of two snapshots."""
        sides = get_organizations(before), get_organizations(after)
        return _compare_organizations(after, *sides, own_rows=True)

    def compile_snapshot(self, inventory: Inventory, before: Inventory | None) -> None:
        """Index the organizations of a snapshot once for all questions."""
        get_organizations(inventory)


def get_organizations(inventory: Inventory) -> "Mapping[str, OrganizationIndex]":
    """Return the index of each organization of a snapshot, by id."""
    return inventory.get_or_compute_value("github organizations", _index_organizations)


def _compare_organizations(
    inventory: Inventory,
    before: "Mapping[str, OrganizationIndex]",
    after: "Mapping[str, OrganizationIndex]",
    *,
    own_rows: bool = False,
) -> AppliedEdit:
    """Compare the rows of all identities of organizations."""
    from answerable.reach.github.identity_lists import list_identities
    from answerable.reach.row_comparison import RowComparison

    return RowComparison(
        inventory,
        GithubEvaluator(before),
        GithubEvaluator(after),
        lambda: (
            str(each)
            for index in (*before.values(), *after.values())
            for each in list_identities(index)
        ),
        own_rows=own_rows,
    ).build_edit()


def _index_organizations(inventory: Inventory) -> "Mapping[str, OrganizationIndex]":
    """Index the organizations of a snapshot."""
    mine = inventory.facts.select_catalogues(PLATFORM)
    if not mine:
        return {}
    from answerable.reach.github.organization_index import index_organizations

    return index_organizations(mine)


@dataclass(frozen=True, slots=True)
class WorkflowTokenSteps:
    """Steps from workflow runs into identities of a platform that trust their tokens.

    Attributes:
        open_trusts: Opens the trust policies of that platform.
    """

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
        """List the steps of the runs of every collected repository."""
        organizations = _choose_organizations(inventory, edited)
        if not organizations and not question.identities:
            return CrossPlatformSteps()
        from answerable.reach.github.role_entry_steps import list_role_entry_steps

        trusts = cast("TokenTrusts | None", edited.get(self.target))
        if trusts is None:
            trusts = self.open_trusts(inventory, replace(question, identities=()))
        return list_role_entry_steps(organizations, trusts, self.target)


@dataclass(frozen=True, slots=True)
class KubeconfigSecretSteps:
    """Kubeconfigs in secrets of workflows: ways into a cluster as an unknown identity.

    Secrets of another name, and clusters that trust tokens of workflow runs, are not
    collected.
    """

    origin: str = PLATFORM
    target: str = "kubernetes"
    is_complete: bool = False

    def list_steps(
        self,
        inventory: Inventory,
        question: Question,
        edited: Mapping[str, PermissionEvaluator],
    ) -> CrossPlatformSteps:
        """List the kubeconfig secrets that identities of a question read."""
        organizations = _choose_organizations(inventory, edited)
        if not organizations:
            return CrossPlatformSteps()
        from answerable.reach.github.kubeconfig_gaps import list_kubeconfig_gaps

        return list_kubeconfig_gaps(organizations, question.identities)


def _choose_organizations(
    inventory: Inventory, edited: Mapping[str, PermissionEvaluator]
) -> "Mapping[str, OrganizationIndex]":
    """Choose the organizations of an edit, or those of the snapshot."""
    mine = edited.get(PLATFORM)
    if isinstance(mine, GithubEvaluator):
        return mine.organizations
    return get_organizations(inventory)
