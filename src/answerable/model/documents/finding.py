"""Items of `findings`: defects of the estate, and rules that could not be evaluated."""

from typing import Annotated, Literal, NotRequired, TypedDict

from answerable.model.documents.columns import Column
from answerable.model.documents.inventory import OwnerItem
from answerable.model.documents.shared_shapes import PathItem


class FindingEvidenceItem(TypedDict):
    """Fact that a finding rests on, with its place."""

    text: Annotated[str, Column("the fact")]
    place: Annotated[str, Column("file and pointer, or API call")]
    file: Annotated[
        str, Column("the path of the file; empty if the place is not in a file")
    ]
    line: Annotated[
        int | None,
        Column(
            "the current line; null if the file is not on this machine or has changed"
        ),
    ]
    source: Annotated[str, Column("the scanned source that has the fact")]
    written_by: Annotated[
        str,
        Column(
            "`platform`, `mediator`, `person` or `self-reported`: the party that could have written the data"
        ),
    ]


class FixItem(TypedDict):
    """Repair of a finding."""

    text: Annotated[str, Column("the repair in words")]
    command: Annotated[
        str, Column("a command that makes the repair; empty if there is none")
    ]
    diff: Annotated[
        str, Column("an edit of a policy or a file; empty if there is none")
    ]


class BreaksItem(TypedDict):
    """Logged use that the repair would end."""

    last_used: Annotated[str | None, Column("the last use; null for no use")]
    count: Annotated[int, Column("number of uses in the logs")]


class SeverityItem(TypedDict):
    """Facts from which the severity is computed."""

    trigger: Annotated[
        str,
        Column(
            "the actor that can trigger it: `anonymous`, `outsider`, `the agent "
            "alone`, `insider`, `another failure`"
        ),
    ]
    reach: Annotated[
        str,
        Column(
            "the reach: `administrator`, `sensitive data`, `not known`, `write`, `read`"
        ),
    ]
    held: Annotated[
        list[str],
        Column(
            "the protection: `standing`, `in several places`, `unattended`, `unbounded`"
        ),
    ]


class MissingDataItem(TypedDict):
    """Data that a rule needs and that was not collected."""

    what: Annotated[str, Column("the data")]
    source: Annotated[
        str,
        Column(
            "the source with this data, as an argument of `scan` or `ingest`; "
            "`config:FILE` for the gateway's configuration (`findings --config`)"
        ),
    ]


class ChokePointItem(TypedDict):
    """Cause that several findings share."""

    id: Annotated[str, Column("the statement, credential or file")]
    findings: Annotated[int, Column("number of findings that the repair resolves")]


class SuppressionItem(TypedDict):
    """Accepted risk: a finding that a reviewed file or a person suppresses."""

    reason: Annotated[str, Column("the reason")]
    owner: Annotated[str, Column("the person who accepts the finding")]
    until: Annotated[str, Column("the day on which the acceptance ends")]
    signed: Annotated[
        str | None,
        Column("SHA-256 of the signed statement; null for an entry of a file"),
    ]


class FindingItem(TypedDict):
    """`answerable findings`: a finding, or a rule that could not be evaluated."""

    severity: Annotated[
        str,
        Column(
            "`critical`, `high`, `medium` or `low`, by the formula in [findings](findings.md#severity); `not-known` of a rule that was not evaluated",
            "severity",
            0,
        ),
    ]
    title: Annotated[str, Column("the defect in one sentence", "finding", 0, floor=30)]
    subject: Annotated[
        str,
        Column(
            "id of the agent, tool, identity, credential or resource",
            "subject",
            1,
            "short-id",
            floor=20,
        ),
    ]
    owner: Annotated[
        OwnerItem, Column("owner of the subject", "owner", 2, "owner", floor=16)
    ]
    rule: Annotated[
        str, Column("the rule, as in [findings](findings.md#rules)", "rule", 3)
    ]
    id: Annotated[
        str,
        Column(
            "derived from rule, subject and place; stable over line moves and scans",
            "id",
            4,
            "id",
        ),
    ]
    state: Annotated[str, Column("`open`, `suppressed` or `not-evaluated`", "state", 5)]
    platform: Annotated[
        str,
        Column(
            "`home`, `repo`, `aws`, `kubernetes`, `github`, `postgres`, `gcp` or `gateway`",
            sort="platform",
        ),
    ]
    place: Annotated[str, Column("place of the defect, as in the first evidence")]
    score: Annotated[
        int, Column("product of the three factors; 0 if not evaluated", right=True)
    ]
    because: Annotated[
        SeverityItem | None,
        Column("the facts behind the severity; null if not evaluated"),
    ]
    evidence: Annotated[
        list[FindingEvidenceItem], Column("the facts that prove the finding")
    ]
    path: Annotated[
        list[PathItem],
        Column("steps to the reached identity or resource, as in `reach`"),
    ]
    fix: Annotated[FixItem, Column("the repair")]
    breaks: Annotated[
        BreaksItem | Literal["not-known"],
        Column(
            "logged use that the repair would end, `{last_used, count}`; `not-known` without the logs"
        ),
    ]
    owasp: Annotated[
        list[str],
        Column(
            "entries of the OWASP NHI and Agentic lists that apply",
            format="names",
        ),
    ]
    page: Annotated[str, Column("documentation of the rule")]
    missing: Annotated[
        list[MissingDataItem], Column("with `not-evaluated`: the data that is missing")
    ]
    choke_point: Annotated[
        ChokePointItem | None, Column("a cause that several findings share")
    ]
    assigned: Annotated[
        str | None,
        Column(
            "the person to whom a reviewed file or a signed statement assigns the finding",
            format="id",
        ),
    ]
    suppression: NotRequired[
        Annotated[SuppressionItem, Column("with `suppressed`: reason, owner and end")]
    ]
