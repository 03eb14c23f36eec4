"""JSON output of the core commands: shapes of items, coverage and envelope.

Names here are fixed: fields may be added, never renamed. Every document is
`{"schema": "answerable/<kind>/v1", "items": [...], "coverage": {...}}`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NotRequired, TypedDict

from answerable.model.documents.columns import Column
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


class InPlaceItem(TypedDict):
    """Events of another system that an answer contains, and no store has sealed.

    Attributes:
        source: `lake:PLACE`.
        events: Events that were read.
        stored: Events that the store has sealed itself, which are not read twice.
        skipped: Rows of other kinds.
        since: Start of the time that was read, empty for all.
        until: Its end, empty for all.
        proof: How far the store proves them.
    """

    source: str
    events: int
    earlier: int
    stored: int
    duplicates: int
    skipped: int
    since: str
    until: str
    proof: str


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
    log_limits: NotRequired[dict[str, str]]
    data_events: NotRequired[dict[str, list[str]]]
    clocks_ahead: NotRequired[list[str]]
    record_gaps: NotRequired[int]
    conflicts: NotRequired[list[str]]
    in_place: NotRequired[list[InPlaceItem]]


class SnapshotItem(TypedDict):
    """Snapshot, as in `STORE@NAME`; `digest` is of its object in the log."""

    name: Annotated[str, Column("as in `STORE@NAME`")]
    at: Annotated[str, Column("when it was taken", format="time")]
    digest: Annotated[str, Column("digest of its object in the log")]


class ConditionItem(TypedDict):
    """Open condition, the author of its key and the identities that can satisfy it.

    `set_by` lists identities that may set the tag it asks for, at most ten.
    """

    key: Annotated[str, Column("condition key")]
    operator: Annotated[str, Column("the operator")]
    values: Annotated[list[str], Column("expected values")]
    negated: Annotated[bool, Column("whether the condition must not hold")]
    asserted_by: Annotated[
        str,
        Column(
            "the party that sets the key: `platform`, `operation` (the request itself), `caller` (free choice), `depends`"
        ),
    ]
    who: NotRequired[
        Annotated[
            str,
            Column(
                "the party that can satisfy the condition, as text; for a tag, the identities of the snapshot that may set the tag"
            ),
        ]
    ]
    set_by: NotRequired[Annotated[list[str], Column("at most ten such identities")]]


class ConditionSetItem(TypedDict):
    """Conjunction of conditions; a list of these is a list of alternatives."""

    all_of: Annotated[list[ConditionItem], Column("conditions that must all be met")]


class DeterminingStatementItem(TypedDict):
    """Determining statement; `text` is its content, shown by `can`."""

    layer: Annotated[str, Column("kind of the policy")]
    policy: Annotated[str, Column("id of the policy")]
    statement: Annotated[str, Column("the statement")]
    effect: Annotated[str, Column("`allow`, `deny` or `implicit-deny`")]
    text: NotRequired[
        Annotated[str, Column("only in `can`: the text of the statement, in one line")]
    ]


PathItem = TypedDict(
    "PathItem",
    {
        "from": Annotated[str, Column("identity before the step")],
        "via": Annotated[str, Column("action or relation of the step")],
        "to": Annotated[str, Column("identity after the step")],
        "conditions": Annotated[
            list[ConditionSetItem], Column("conditions of the step")
        ],
        "determining": Annotated[
            list[DeterminingStatementItem], Column("statements that allow the step")
        ],
    },
)


class PolicyLayerItem(TypedDict):
    """Policy layer and its part in an answer.

    `state` is `decided`, `passed`, `none`, `not-collected`, `not-stated` or
    `does-not-apply`.
    """

    layer: Annotated[str, Column("kind of policy")]
    state: Annotated[
        str,
        Column(
            "`decided`, `passed` (took part, did not decide), `none` (none attached), `not-collected`, `not-stated`, `does-not-apply`"
        ),
    ]


class AllowedPartItem(TypedDict):
    """Allowed part of a resource pattern.

    It covers every resource that matches both `resource` and the queried pattern.
    """

    resource: Annotated[
        str,
        Column("pattern; the part has the matching resources of RESOURCE"),
    ]
    verdict: Annotated[str, Column("verdict of the part")]
    conditions: Annotated[list[ConditionSetItem], Column("as above")]
    determining: Annotated[list[DeterminingStatementItem], Column("as above")]
    path: Annotated[list[PathItem], Column("as above")]


class PermissionItem(TypedDict):
    """Fields that `reach`, `who-can` and `can` share.

    `covers` and `parts` answer a question about a pattern.
    """

    subject: Annotated[str, Column("the identity")]
    action: Annotated[str, Column("the permission: a pattern of actions")]
    resource: Annotated[str, Column("the permission: a pattern of resources")]
    verdict: Annotated[str, Column("`always`, `only-if`, `never`, `not-known`")]
    conditions: Annotated[
        list[ConditionSetItem], Column("alternatives; one alternative must be met")
    ]
    admin: Annotated[bool, Column("whether the subject can give itself any permission")]
    determining: Annotated[
        list[DeterminingStatementItem], Column("determining statements")
    ]
    path: Annotated[
        list[PathItem],
        Column("steps from the subject to the identity that performs the action"),
    ]
    unguarded: NotRequired[
        Annotated[
            bool,
            Column(
                "true if one alternative has only `caller` conditions and tags that the subject, or an identity on the path, may set"
            ),
        ]
    ]
    unguarded_because: NotRequired[Annotated[str, Column("which ones")]]
    assuming: NotRequired[
        Annotated[
            list[str],
            Column(
                "kinds of policy that were not collected and could change the verdict, by the names of `can --assume`"
            ),
        ]
    ]
    unknown: NotRequired[
        Annotated[
            list[UncollectedSubjectItem],
            Column("with `not-known`: the subjects without collected permissions"),
        ]
    ]
    covers: NotRequired[
        Annotated[
            str,
            Column(
                "for a RESOURCE with wildcards, the resources that are allowed under the conditions: `all`, `part` or `none`; absent for a single resource"
            ),
        ]
    ]
    parts: NotRequired[
        Annotated[list[AllowedPartItem], Column("the parts that are allowed")]
    ]
    layers: NotRequired[
        Annotated[
            list[PolicyLayerItem],
            Column("every kind of policy and its effect on the verdict"),
        ]
    ]


class PermissionCheckItem(PermissionItem):
    """`answerable can`."""

    coverage: Annotated[CoverageRecord, Column("coverage of this answer")]


class ReachItem(PermissionItem):
    """`answerable reach` and `answerable who-can`; action and resource are patterns.

    `agents` act through the subject; only `who-can` has them and the covered parts.
    """

    agents: NotRequired[
        Annotated[
            list[str],
            Column("the agents that act through the subject; only in `who-can`"),
        ]
    ]


class AwsComparisonItem(TypedDict):
    """`answerable reach --compare-aws`: one question, answered twice.

    `outcome` is `agrees`, `open`, `differs`, `set-aside` or `unanswered`.
    """

    subject: Annotated[str, Column("the identity")]
    action: Annotated[str, Column("the action")]
    resource: Annotated[str, Column("the resource")]
    verdict: Annotated[str, Column("verdict of `answerable` with `--direct`")]
    simulated: Annotated[
        str | None,
        Column(
            "`allowed`, `explicitDeny` or `implicitDeny`; null if AWS was not queried or did not respond"
        ),
    ]
    missing: Annotated[
        list[str], Column("condition keys that the simulator would need")
    ]
    outcome: Annotated[
        str, Column("`agrees`, `differs`, `open`, `set-aside` or `unanswered`")
    ]
    reason: Annotated[str, Column("reason for an open, excluded or missing result")]
    matched: Annotated[
        list[str],
        Column("policies with matching statements, according to the simulator"),
    ]
    determining: Annotated[
        list[DeterminingStatementItem], Column("the statements that decided here")
    ]


class IngestItem(TypedDict):
    """`answerable ingest`."""

    source: Annotated[str, Column("as named", "", 0, floor=16)]
    read: Annotated[int, Column("records read", "", 1, "count", right=True)]
    stored: Annotated[int, Column("new records", "", 1, "count", right=True)]
    duplicate: Annotated[
        int, Column("records that are in the store already", "", 2, "count", right=True)
    ]
    conflict: Annotated[
        int,
        Column(
            "records with a known id but different bytes; both are kept",
            "",
            2,
            "count",
            right=True,
        ),
    ]
    quarantined: Annotated[
        int, Column("records that could not be parsed", "", 1, "count", right=True)
    ]
    skipped: Annotated[
        int,
        Column(
            "valid files without audit records, such as a digest file, and valid records of other kinds",
            "",
            4,
            "count",
            right=True,
        ),
    ]
    files: Annotated[int, Column("files read", "", 3, "count", right=True)]
    segments: Annotated[int, Column("segments written", "", 4, "count", right=True)]
    seconds: Annotated[float, Column("duration", "", 5, "seconds", right=True)]


class ScanItem(TypedDict):
    """`answerable scan`: one source each."""

    source: Annotated[
        str,
        Column(
            "as named, with an absolute path; a live account as `aws:123456789012 (live)`, an organization as `aws-org:o-... (live)`",
            "",
            0,
            floor=20,
        ),
    ]
    agents: Annotated[
        int, Column("number of agents in the source", "", 2, "number", right=True)
    ]
    tools: Annotated[int, Column("number of tools", "", 3, "number", right=True)]
    credentials: Annotated[
        int, Column("number of credentials", "", 2, "number", right=True)
    ]
    identities: Annotated[
        int, Column("number of identities", "", 2, "number", right=True)
    ]
    policies: Annotated[int, Column("number of policies", "", 4, "number", right=True)]
    problems: Annotated[
        list[str],
        Column("data that could not be read (exit 3)", "", 1, "number", right=True),
    ]
    snapshot: Annotated[str, Column("name of the snapshot, for `STORE@SNAPSHOT`")]


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
        note: Warning about the options of the command; may be empty.
        total: Number of items of the complete answer, where these are a part; else -1.
    """

    kind: str
    items: Sequence[Mapping[str, object]]
    coverage: CoverageRecord
    failed: bool = False
    undecided: str = ""
    next: str = ""
    searched: str = ""
    note: str = ""
    total: int = -1

    @property
    def is_partial(self) -> bool:
        """Return whether a source could not be read completely."""
        return self.coverage["partial"]
