"""Contract of a permission platform: a system with identities and permissions.

A platform registers once, in `services/reach/platforms.py`. `reach/engine.py` picks the
platform of a question and merges the answers of several. Commands, use cases and pages
know the types of this module, never a platform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from answerable.model.documents.core import (
    AllowedPartItem,
    ConditionSetItem,
    DeterminingStatementItem,
    PathItem,
    PolicyLayerItem,
    TruncationItem,
)
from answerable.model.ids import IdentityId
from answerable.model.inventory import CredentialEntity, Inventory
from answerable.model.policy import Policy
from answerable.reach.formula import Formula, Verdict


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
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    session_policy: Policy | None = None
    endpoint_policy: Policy | None = None
    direct: bool = False
    identities: tuple[SubjectIdentity, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a question about one call, or one row of a list.

    Attributes:
        action: Action, or a pattern in a list.
        resource: Resource, or a pattern in a list.
        verdict: `not-known` if data about the subject is missing: see `unknown`.
        conditions: Alternatives of open conditions; empty unless `only-if`.
        determining: Determining statements of the call itself.
        path: Steps from the subject to the identity that makes the call.
        admin: Whether that identity is an administrator of its platform.
        assuming: Kinds of policy that were not collected and could change the verdict.
        layers: Policy layers, each with its part in the answer; for a single call.
        not_collected: Data that could change the answer, in the words of coverage.
        unread: Whether a statement that could change it was not understood.
        unknown: Subjects whose permissions are missing.
        covers: Share of the resource pattern: `all`, `part`, `none`; else empty.
        parts: Allowed parts of the pattern.
        unguarded_because: Reason why the caller can satisfy the conditions itself.
    """

    subject: str
    action: str
    resource: str
    verdict: Verdict
    conditions: Sequence[ConditionSetItem] = ()
    determining: Sequence[DeterminingStatementItem] = ()
    path: Sequence[PathItem] = ()
    admin: bool = False
    assuming: Sequence[str] = ()
    layers: Sequence[PolicyLayerItem] = ()
    not_collected: frozenset[str] = frozenset()
    unread: bool = False
    unknown: tuple[UnknownSubject, ...] = ()
    covers: str = ""
    parts: Sequence[AllowedPartItem] = ()
    unguarded_because: str = ""


@dataclass(frozen=True, slots=True)
class PageBounds:
    """Bounds of one page of a list.

    Attributes:
        cursor: Cursor of an earlier page; empty for the beginning.
        rows: Most rows; 0 for all.
        identities: Most identities to examine; 0 for all.
    """

    cursor: str = ""
    rows: int = 0
    identities: int = 0


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
class PlatformScope:
    """Collected part of a platform.

    Attributes:
        identities: Number of identities whose permissions were collected.
        accounts: Accounts, clusters or servers that were collected.
        unknown: Identities of the platform whose permissions were not collected.
    """

    identities: int
    accounts: tuple[str, ...]
    unknown: tuple[UnknownSubject, ...]


class PermissionEvaluator(Protocol):
    """Permissions of one snapshot, compiled for one question."""

    def resolve_identity(
        self, start: SubjectIdentity
    ) -> SubjectIdentity | UnknownSubject:
        """Return an identity of the platform, with `unknown` if its data is missing.

        Returns:
            The reason alone if nothing can be evaluated without the data.
        """
        ...

    def list_entries(self, identity: IdentityId) -> Sequence[PathHop]:
        """List the steps by which identities of other platforms enter this one."""
        ...

    def evaluate(self, question: Question) -> Answer:
        """Evaluate one call for `question.identities`; the best answer of all.

        The path begins at `question.subject`; the conditions of `hops` are part of the
        answer. `never` and `always` hold for the collected data; `assuming` and
        `not_collected` say which other data could change them.
        """
        ...

    def list_permissions(self, question: Question, page: PageBounds) -> AnswerList:
        """List what `question.identities` can do, by action and resource pattern.

        Raises:
            UsageError: No action or no resource can match the globs.
        """
        ...

    def list_callers(self, question: Question, page: PageBounds) -> AnswerList:
        """List the identities that can make one call, the most severe first."""
        ...

    def describe_scope(self) -> PlatformScope:
        """Describe which identities were collected."""
        ...


class PermissionPlatform(Protocol):
    """System with identities and permissions."""

    @property
    def name(self) -> str:
        """Name in `coverage.looked.platforms`: `aws`, `postgres`."""
        ...

    @property
    def source(self) -> str:
        """Name of the scan source that supplies its permissions."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """Prefixes of the kinds of its identities and credentials."""
        ...

    def owns(self, key: str) -> bool:
        """Tell whether an id of an identity or a resource is in its spelling."""
        ...

    def parse_call(
        self, inventory: Inventory, action: str, resource: str
    ) -> tuple[str, str]:
        """Parse the action and the resource of one call in its spelling.

        Raises:
            UsageError: One of them is unknown; the hint has the nearest spelling.
        """
        ...

    def parse_subject(
        self, inventory: Inventory, text: str, context: Mapping[str, tuple[str, ...]]
    ) -> tuple[str, Mapping[str, tuple[str, ...]]] | None:
        """Parse a subject that the inventory does not list, such as a session.

        Returns:
            Its id and the condition keys, with those that the subject implies; None if
            the text is not in the platform's spelling.
        """
        ...

    def explain_credential(
        self, inventory: Inventory, entity: CredentialEntity
    ) -> UnknownSubject:
        """Explain why the identity of one of its credentials is not known."""
        ...

    def open(self, inventory: Inventory, question: Question) -> PermissionEvaluator:
        """Compile the part of a snapshot that a question needs, or reuse it."""
        ...
