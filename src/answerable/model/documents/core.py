"""JSON output of the core commands: shapes of items, coverage and envelope.

Names here are fixed: fields may be added, never renamed. Every document is
`{"schema": "answerable/<kind>/v1", "items": [...], "coverage": {...}}`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from answerable.model.documents.logged_days import LoggedDaysItem
from answerable.model.documents.mediation import MediationItem
from answerable.model.documents.not_known import SearchScopeItem, UncollectedSubjectItem


class CoverageSourceItem(TypedDict):
    """Source in a coverage record; `at` is RFC 3339 UTC, `age_s` seconds.

    `at` is empty where a scheduled source was never read.
    """

    source: str
    at: str
    age_s: int
    problems: list[str]


class TruncationItem(TypedDict):
    """Truncation of a list in an answer.

    Attributes:
        rows: Number of rows shown.
        what: Subjects of the rows, in the plural: `identities`.
        done: Number of processed subjects, the last one perhaps in part.
        of: Number of all subjects.
    """

    rows: int
    what: str
    done: int
    of: int


class CoverageRecord(TypedDict):
    """Coverage record: data behind an answer, and missing data that could change it."""

    partial: bool
    sources: list[CoverageSourceItem]
    seen: list[str]
    not_collected: list[str]
    looked: NotRequired[SearchScopeItem]
    shown: NotRequired[TruncationItem]
    recorded: NotRequired[list[LoggedDaysItem]]
    mediation: NotRequired[MediationItem]


class SnapshotItem(TypedDict):
    """Snapshot, as in `STORE@NAME`; `digest` is of its object in the log."""

    name: str
    at: str
    digest: str


class ConditionItem(TypedDict):
    """Open condition, the author of its key and the identities that can satisfy it.

    `set_by` lists identities that may set the tag it asks for, at most ten.
    """

    key: str
    operator: str
    values: list[str]
    negated: bool
    asserted_by: str
    who: NotRequired[str]
    set_by: NotRequired[list[str]]


class ConditionSetItem(TypedDict):
    """Conjunction of conditions; a list of these is a list of alternatives."""

    all_of: list[ConditionItem]


class DeterminingStatementItem(TypedDict):
    """Determining statement; `text` is its content, shown by `can`."""

    layer: str
    policy: str
    statement: str
    effect: str
    text: NotRequired[str]


PathItem = TypedDict(
    "PathItem",
    {
        "from": str,
        "via": str,
        "to": str,
        "conditions": list[ConditionSetItem],
        "determining": list[DeterminingStatementItem],
    },
)


class PolicyLayerItem(TypedDict):
    """Policy layer and its part in an answer.

    `state` is `decided`, `passed`, `none`, `not-collected`, `not-stated` or
    `does-not-apply`.
    """

    layer: str
    state: str


class AllowedPartItem(TypedDict):
    """Allowed part of a resource pattern.

    It covers every resource that matches both `resource` and the queried pattern.
    """

    resource: str
    verdict: str
    conditions: list[ConditionSetItem]
    determining: list[DeterminingStatementItem]
    path: list[PathItem]


class PermissionCheckItem(TypedDict):
    """`answerable can`."""

    subject: str
    action: str
    resource: str
    verdict: str
    conditions: list[ConditionSetItem]
    admin: bool
    determining: list[DeterminingStatementItem]
    path: list[PathItem]
    unguarded: NotRequired[bool]
    unguarded_because: NotRequired[str]
    assuming: NotRequired[list[str]]
    unknown: NotRequired[list[UncollectedSubjectItem]]
    covers: NotRequired[str]
    parts: NotRequired[list[AllowedPartItem]]
    layers: NotRequired[list[PolicyLayerItem]]
    coverage: CoverageRecord


class ReachItem(TypedDict):
    """`answerable reach` and `answerable who-can`; action and resource are patterns.

    `agents` act through the subject; `covers` and `parts` answer a question about a
    pattern. Only `who-can` has them.
    """

    subject: str
    action: str
    resource: str
    verdict: str
    conditions: list[ConditionSetItem]
    admin: bool
    determining: list[DeterminingStatementItem]
    path: list[PathItem]
    layers: NotRequired[list[PolicyLayerItem]]
    unguarded: NotRequired[bool]
    unguarded_because: NotRequired[str]
    assuming: NotRequired[list[str]]
    unknown: NotRequired[list[UncollectedSubjectItem]]
    agents: NotRequired[list[str]]
    covers: NotRequired[str]
    parts: NotRequired[list[AllowedPartItem]]


class AwsComparisonItem(TypedDict):
    """`answerable reach --compare-aws`: one question, answered twice.

    `outcome` is `agrees`, `open`, `differs`, `set-aside` or `unanswered`.
    """

    subject: str
    action: str
    resource: str
    verdict: str
    simulated: str | None
    missing: list[str]
    outcome: str
    reason: str
    matched: list[str]
    determining: list[DeterminingStatementItem]


class IngestItem(TypedDict):
    """`answerable ingest`."""

    source: str
    read: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    skipped: int
    files: int
    segments: int
    seconds: float


class ScanItem(TypedDict):
    """`answerable scan`: one source each."""

    source: str
    agents: int
    tools: int
    credentials: int
    identities: int
    policies: int
    problems: list[str]
    snapshot: str


@dataclass(frozen=True, slots=True)
class Document:
    """Answer document, before it is rendered.

    Attributes:
        kind: The word in `answerable/<kind>/v1`.
        items: Items of that kind's shape.
        coverage: Coverage record of the answer.
        failed: True when an expectation or a verification did not hold (exit 1).
        undecided: Why an expectation neither held nor failed (exit 3), else empty.
        next: A command worth trying next, may be empty.
        searched: For an empty answer, the searched scope; may be empty.
        total: Number of items of the complete answer, where these are a part; else -1.
    """

    kind: str
    items: Sequence[Mapping[str, object]]
    coverage: CoverageRecord
    failed: bool = False
    undecided: str = ""
    next: str = ""
    searched: str = ""
    total: int = -1

    @property
    def is_partial(self) -> bool:
        """Tell whether a source could not be read completely."""
        return self.coverage["partial"]
