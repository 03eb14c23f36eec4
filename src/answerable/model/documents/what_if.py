"""JSON output about hypothetical policy edits, minimal cuts and exposure."""

from typing import NotRequired, TypedDict

from answerable.model.documents.core import DeterminingStatementItem, PathItem
from answerable.model.documents.not_known import UncollectedSubjectItem


class AccessChangeItem(TypedDict):
    """`answerable what-if`: one change.

    `change` is `appears`, `stronger`, `weaker`, `falls-away` or `not-known`. `kind` is
    `identity` where the subject can assume `resource`, else `permission`. `before` and
    `after` are verdicts over every path; `covers_before` and `covers_after` say how
    much of the pattern they speak of. `path` is the path that falls away or appears.
    """

    change: str
    kind: str
    subject: str
    action: str
    resource: str
    before: str
    after: str
    covers_before: str
    covers_after: str
    admin: bool
    agents: list[str]
    determining: list[DeterminingStatementItem]
    path: list[PathItem]
    assuming: list[str]
    unknown: NotRequired[list[UncollectedSubjectItem]]


class CutStatementItem(TypedDict):
    """Statement of a cut; `--without` takes its `id`."""

    id: str
    policy: str
    statement: str
    text: str


class BrokenUseItem(TypedDict):
    """Logged calls that would be denied after a cut."""

    identity: str
    action: str
    count: int
    last_used: str | None


class BreakageItem(TypedDict):
    """Calls that a cut breaks; None without trail data.

    `since` is the start of the covered window.
    """

    used: list[BrokenUseItem] | None
    since: str | None


class CutSetItem(TypedDict):
    """`answerable what-if --cuts`: one minimal set of statements to remove.

    `verdict` is the subject's afterwards: `never`, with `assuming`.
    """

    subject: str
    action: str
    resource: str
    before: str
    verdict: str
    statements: list[CutStatementItem]
    breaks: BreakageItem
    assuming: list[str]
    unknown: NotRequired[list[UncollectedSubjectItem]]


class ExposureItem(TypedDict):
    """`answerable reach --all`: one exposed identity.

    `admin`, `public` and `external` are verdicts: it can become an administrator, its
    trust admits anyone, or its trust admits a named outsider. `becomes` counts
    identities that it can assume.
    """

    subject: str
    account: str
    gravity: str
    admin: str
    public: str
    external: str
    becomes: int | None
    examples: list[str]
    agents: list[str]
    path: list[PathItem]
    entered_by: list[str]
    unknown: NotRequired[list[UncollectedSubjectItem]]
