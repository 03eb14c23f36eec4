"""Items of the documents about policies as they would be, and about a whole estate."""

from typing import NotRequired, TypedDict

from answerable.model.document import DeterminingItem, PathItem
from answerable.model.document_unknown import UnknownItem


class WhatIfItem(TypedDict):
    """`answerable what-if`: one change.

    `change` is `appears`, `stronger`, `weaker`, `falls-away` or `not-known`. `kind` is
    `identity` where the subject can become `resource`, else `permission`. `before` and
    `after` are verdicts over every path; `covers_before` and `covers_after` say how much
    of the pattern they speak of. `path` is the path that falls away or appears.
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
    determining: list[DeterminingItem]
    path: list[PathItem]
    assuming: list[str]
    unknown: NotRequired[list[UnknownItem]]


class CutStatementItem(TypedDict):
    """A statement of a cut; `id` is what `--without` takes."""

    id: str
    policy: str
    statement: str
    text: str


class UseItem(TypedDict):
    """Calls that the trail holds and that would be refused after a cut."""

    identity: str
    action: str
    count: int
    last_used: str | None


class BreaksItem(TypedDict):
    """Calls that a cut breaks; None when no trail tells.

    `since` is the beginning of the covered window.
    """

    used: list[UseItem] | None
    since: str | None


class CutItem(TypedDict):
    """`answerable what-if --cuts`: one of the smallest sets of statements.

    `verdict` is the subject's afterwards: `never`, with `assuming`.
    """

    subject: str
    action: str
    resource: str
    before: str
    verdict: str
    statements: list[CutStatementItem]
    breaks: BreaksItem
    assuming: list[str]
    unknown: NotRequired[list[UnknownItem]]


class ExposureItem(TypedDict):
    """`answerable reach --all`: one identity that others should know about.

    `admin`, `public` and `external` are verdicts: whether it can come to be an
    administrator, and whether its own trust lets in anyone at all, or an outsider that
    it names. `becomes` counts identities it can come to act as.
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
    unknown: NotRequired[list[UnknownItem]]
