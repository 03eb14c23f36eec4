"""Contract of a permission platform: a system with identities and permissions.

A platform registers once, in `services/reach/platform_registry.py`. `reach/engine.py` picks the
platform of a question and merges the answers of several. Commands, use cases and pages
know the types of this module, never a platform.
"""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from answerable.model.documents.shared_shapes import ReachItem, TruncationItem
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.policy import Policy
from answerable.model.progress import ignore_progress_report
from answerable.reach.condition_formula import Formula, Verdict

if TYPE_CHECKING:
    from answerable.model.documents.what_if import AccessChangeItem


ConditionContext = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, order=True)
class DeterminingStatement:
    """Determining statement, in the terms of the document."""

    layer: str
    policy: str
    statement: str
    effect: str


@dataclass(frozen=True, slots=True)
class PathHop:
    """Step of a path, in the terms of the document.

    Attributes:
        origin: Id it starts from.
        via: Calls that take the step.
        to: Id it leads to.
        formula: Condition of the step.
        determining: Determining statements.
    """

    origin: str
    via: str
    to: str
    formula: Formula
    determining: tuple[DeterminingStatement, ...]


@dataclass(frozen=True, slots=True)
class UnknownSubject:
    """Subject whose permissions were not collected.

    Attributes:
        id: Agent, identity or credential.
        because: Missing data.
        source: Name of the scan source that supplies it, empty where none is known.
        absent: Its account was scanned and holds no such identity: it was created
            later, deleted or misspelled.
    """

    id: str
    because: str
    source: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class SubjectIdentity:
    """Identity that a subject acts through, with the steps to it.

    Attributes:
        subject: The subject of the question.
        hops: Steps from the subject to the identity.
        unknown: Reason why the identity's policies are not known, None where they are.
            Grants of resource policies are evaluated in both cases.
    """

    subject: str
    identity: IdentityId
    hops: tuple[PathHop, ...] = ()
    unknown: UnknownSubject | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Permission question: one call, or the patterns of a list.

    Attributes:
        now: UTC nanoseconds.
        subject: Id of the subject; empty for a question about all identities.
        action: Action in the platform's spelling, or a glob for a list.
        resource: Resource in the platform's spelling, or a glob for a list.
        context: Stated condition keys of the request; no value for an absent key.
        session_policy: Stated policy that limits the session of the subject.
        endpoint_policy: Stated policy of the network endpoint of the call.
        direct: Whether the subject acts by itself: no role, escalation or credential.
        identities: Identities of the platform that the subject acts through.
    """

    now: int
    subject: str = ""
    action: str = "*"
    resource: str = "*"
    context: ConditionContext = field(default_factory=dict)
    session_policy: Policy | None = None
    endpoint_policy: Policy | None = None
    direct: bool = False
    identities: tuple[SubjectIdentity, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a question about one call, or one row of a list.

    Attributes:
        item: Row of the document: verdict, conditions, determining statements, path
            from the subject, assumptions and policy layers.
        unknown: Subjects whose permissions are missing; a verdict rests on none of
            them unless it is `not-known`.
        not_collected: Data that could change the answer, in the words of coverage.
        unread: Whether a statement that could change it was not understood.
    """

    item: ReachItem
    unknown: tuple[UnknownSubject, ...] = ()
    not_collected: frozenset[str] = frozenset()
    unread: bool = False

    @property
    def verdict(self) -> Verdict:
        """Verdict of the answer."""
        return Verdict(self.item["verdict"])


@dataclass(frozen=True, slots=True)
class PageBounds:
    """Bounds of one page of a list.

    Attributes:
        rows: Most rows; 0 for all.
        cursor: Cursor of the page, empty for the first one; None if no page follows.
        identities: Most identities to examine; 0 for all.
        progress: Receives the number of rows so far.
    """

    rows: int = 0
    cursor: str | None = None
    identities: int = 0
    progress: Callable[[int, int, str], None] = ignore_progress_report


@dataclass(frozen=True, slots=True)
class AnswerList:
    """Answers of a list, or of one page.

    Attributes:
        not_collected: Data that could change an answer or add one.
        unread: Whether a statement that could change them was not understood.
        cursor: Cursor of the next page; empty at the end.
        examined: Number of identities examined for the page.
        shown: Number of rows and identities; None for a complete list.
    """

    answers: tuple[Answer, ...]
    not_collected: frozenset[str] = frozenset()
    unread: bool = False
    cursor: str = ""
    examined: int = 0
    shown: TruncationItem | None = None


@dataclass(frozen=True, slots=True)
class PolicyEdit:
    """Edit of policies, as a user writes it.

    Attributes:
        statements: Statements to remove, as answers print them.
        policies: Policies to remove, by id or as answers print them.
        file: File with a policy document to attach; empty for none.
        target: Identity or resource to attach it to; empty for the subject.
        layer: Policy layer; empty to derive it from the document and the target.
    """

    statements: Sequence[str] = ()
    policies: Sequence[str] = ()
    file: str = ""
    target: str = ""
    layer: str = ""

    @property
    def is_empty(self) -> bool:
        """Return whether a what-if edit removes nothing and adds no policy."""
        return not (self.statements or self.policies or self.file)


@dataclass(frozen=True, slots=True)
class ChangeList:
    """Access changes of an edit, the most severe first.

    Attributes:
        not_collected: Data that could change an item or add one.
        unread: Whether a statement that could change them was not understood.
        shown: Number of listed and of all changes; None for a complete list.
    """

    items: "tuple[AccessChangeItem, ...]"
    not_collected: frozenset[str] = frozenset()
    unread: bool = False
    shown: TruncationItem | None = None


@dataclass(frozen=True, slots=True)
class AppliedEdit:
    """Permissions of a platform before and after an edit.

    Attributes:
        list_changes: Lists the differences for a question with the subject's
            identities before the edit (all identities if it has no subject), for its
            identities after the edit, and with at most so many items (0 for all).
    """

    before: "PermissionEvaluator"
    after: "PermissionEvaluator"
    list_changes: Callable[[Question, Sequence[SubjectIdentity], int], ChangeList]


class UnknownIdentity(NamedTuple):
    """Identity without permission data, with its kind."""

    subject: UnknownSubject
    kind: str


@dataclass(frozen=True, slots=True)
class PlatformScope:
    """Collected part of a platform.

    Attributes:
        identities: Number of identities whose permissions were collected.
        accounts: Accounts, clusters or servers that were collected.
        unknown: Identities that it cannot evaluate: of missing data, or of no platform.
        source: Source of `scan` that collects the platform.
    """

    identities: int
    accounts: tuple[str, ...]
    unknown: tuple[UnknownIdentity, ...]
    source: str


class PermissionEvaluator(Protocol):
    """Permissions of one snapshot, compiled for one question."""

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        """Return an identity of the platform, with `unknown` if its data is missing.

        Returns:
            The reason alone if nothing can be evaluated without the data.
        """

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        """List the steps by which a workflow's OIDC token enters an identity."""

    def find_paths(
        self, starts: Sequence[SubjectIdentity], targets: Collection[IdentityId]
    ) -> Iterable[SubjectIdentity]:
        """Find the paths of identities to those of `targets` that they are or become.

        Returns:
            For each start and target at most one, with the steps from the subject.
        """

    def find_nearest_paths(
        self, targets: Collection[IdentityId], skipped: Container[str]
    ) -> Iterable[SubjectIdentity]:
        """Find one path of each known caller to any of `targets`, itself included.

        It has no conditions if there is such a path. Callers in `skipped` need none.
        """

    def continue_from(self, start: SubjectIdentity) -> SubjectIdentity:
        """Return an entered identity as one that takes a step to another platform.

        Its last hop has a condition more if the step needs more than API rights.
        """

    def name_credential_source(self, account: str) -> str:
        """Name the scan source that tells whose a credential of an account is."""

    def evaluate(self, question: Question) -> Answer:
        """Evaluate one call for `question.identities`; the best answer of all.

        The path begins at `question.subject`; the conditions of `hops` are part of the
        answer. An identity whose data is missing is in `unknown`, unless grants of
        others decide without it. Without an identity the verdict is `not-known`, or
        `never` for an action that no resource of this kind takes.
        """

    def list_permissions(self, question: Question, page: PageBounds) -> AnswerList:
        """List what `question.identities` can do, by action and resource pattern.

        Identities whose data is missing come last, `not-known`.

        Raises:
            UsageError: No action or no resource can match the globs, or the cursor is
                malformed.
        """

    def list_callers(self, question: Question, page: PageBounds) -> AnswerList:
        """List the identities that can make one call, the most severe first.

        Identities whose data is missing come last, `not-known`.

        Raises:
            UsageError: The cursor is malformed.
        """

    def describe_scope(self) -> PlatformScope:
        """Describe which identities were collected."""


class PermissionPlatform(Protocol):
    """System with identities and permissions."""

    @property
    def name(self) -> str:
        """Name of the platform, as in the coverage of an answer."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Prefixes of the kinds of its identities and credentials."""

    def owns(self, key: str) -> bool:
        """Return whether an identity or resource id is in the format of the platform."""

    def parse_call(
        self, inventory: Inventory, action: str, resource: str
    ) -> tuple[str, str]:
        """Parse the action and the resource of one call in the format of the platform.

        Raises:
            UsageError: One of them is unknown; the hint has the nearest spelling.
        """

    def suggest_actions(self, prefix: str) -> Iterable[tuple[str, str]]:
        """Suggest actions while one is typed, each with a description."""

    def parse_session(
        self, inventory: Inventory, subject: str, context: ConditionContext
    ) -> tuple[str, ConditionContext]:
        """Resolve a session to its identity, and add the condition keys it implies.

        Returns:
            Both unchanged if the subject is no session of a collected identity.

        Raises:
            UsageError: The session contradicts a stated condition key.
        """

    def find_external(self, inventory: Inventory, text: str) -> str | None:
        """Find a caller outside the inventory by its format; None for no such."""

    def open(self, inventory: Inventory, question: Question) -> PermissionEvaluator:
        """Compile the part of a snapshot that a question needs, or reuse it.

        Raises:
            UsageError: A stated condition key is unknown or has a wrong value.
        """

    def open_edit(
        self, inventory: Inventory, question: Question, edit: PolicyEdit
    ) -> AppliedEdit:
        """Apply an edit to the collected data of a question.

        Raises:
            UsageError: A statement, policy, target or layer is unknown, or the file
                holds no policy; the hint has the nearest spelling.
        """

    def open_comparison(
        self, before: Inventory, after: Inventory, question: Question
    ) -> AppliedEdit:
        """Compare the collected data of two snapshots for a question."""

    def compile_snapshot(self, inventory: Inventory, before: Inventory | None) -> None:
        """Compile a snapshot once for all questions of a server.

        Args:
            before: The previous snapshot of the store, whose results may be reused.
        """
