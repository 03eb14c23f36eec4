"""JSON output about hypothetical policy edits, minimal cuts and exposure."""

from typing import Annotated, NotRequired, TypedDict

from answerable.model.documents.columns import Column
from answerable.model.documents.not_known import UncollectedSubjectItem
from answerable.model.documents.shared_shapes import DeterminingStatementItem, PathItem


class AccessChangeItem(TypedDict):
    """`answerable what-if`: one change.

    `change` is `appears`, `stronger`, `weaker`, `falls-away` or `not-known`. `kind` is
    `identity` where the subject can assume `resource`, else `permission`. `before` and
    `after` are verdicts over every path; `covers_before` and `covers_after` say how
    much of the pattern they speak of. `path` is the path that falls away or appears.
    """

    change: Annotated[
        str,
        Column(
            "effect of the edit: `appears`, `stronger`, `not-known`, `weaker`, `falls-away`"
        ),
    ]
    kind: Annotated[
        str,
        Column(
            "`identity` if the subject can become `resource`, or `permission` if the subject can do `action` on `resource`"
        ),
    ]
    subject: Annotated[str, Column("the identity")]
    action: Annotated[str, Column("as in `reach`; of an identity, the last step")]
    resource: Annotated[str, Column("as in `reach`")]
    before: Annotated[
        str,
        Column(
            "verdict of the subject before the removal, over every path and every statement"
        ),
    ]
    after: Annotated[str, Column("verdict afterwards")]
    covers_before: Annotated[
        str, Column("coverage of the pattern before the edit: `all`, `part`, `none`")
    ]
    covers_after: Annotated[str, Column("coverage of the pattern after the edit")]
    admin: Annotated[
        bool, Column("whether the identity at the end of the path is an administrator")
    ]
    agents: Annotated[list[str], Column("the agents that act through the subject")]
    determining: Annotated[
        list[DeterminingStatementItem],
        Column("statements that fall away, or that appear"),
    ]
    path: Annotated[list[PathItem], Column("path that falls away, or that appears")]
    assuming: Annotated[list[str], Column("as in `reach`")]
    unknown: NotRequired[
        Annotated[list[UncollectedSubjectItem], Column("as in `reach`")]
    ]


class CutStatementItem(TypedDict):
    """Statement of a cut; `--without` takes its `id`."""

    id: Annotated[str, Column("argument for `--without`")]
    policy: Annotated[str, Column("the policy")]
    statement: Annotated[str, Column("the place in the policy")]
    text: Annotated[str, Column("the statement as written")]


class BrokenUseItem(TypedDict):
    """Logged calls that would be denied after a cut."""

    identity: Annotated[str, Column("the caller")]
    action: Annotated[str, Column("the action")]
    count: Annotated[int, Column("number of calls")]
    last_used: Annotated[
        str | None, Column("time of the latest of these calls", format="time")
    ]


class BreakageItem(TypedDict):
    """Calls that a cut breaks; None without trail data.

    `since` is the start of the covered window.
    """

    used: Annotated[
        list[BrokenUseItem] | None,
        Column(
            "successful calls that would be denied; null if the trail does not record such calls"
        ),
    ]
    since: Annotated[
        str | None,
        Column(
            "start of the trail; null if the trail does not record these calls",
            format="time",
        ),
    ]


class CutSetItem(TypedDict):
    """`answerable what-if --cuts`: one minimal set of statements to remove.

    `verdict` is the subject's afterwards: `never`, with `assuming`.
    """

    subject: Annotated[str, Column("the identity")]
    action: Annotated[str, Column("the action")]
    resource: Annotated[str, Column("the access to end")]
    before: Annotated[str, Column("verdict now")]
    verdict: Annotated[
        str,
        Column(
            "verdict after the removal: `never`; `not-known` if the subject's policies were not collected, or if no set was found among 500 sets of at most four statements; the same as `before` if no removal ends the access"
        ),
    ]
    statements: Annotated[list[CutStatementItem], Column("statements to remove")]
    breaks: Annotated[BreakageItem, Column("calls that the removal would deny")]
    assuming: Annotated[list[str], Column("as in `can`")]
    unknown: NotRequired[Annotated[list[UncollectedSubjectItem], Column("as in `can`")]]


class ExposureItem(TypedDict):
    """`answerable reach --all`: one exposed identity.

    `admin`, `public` and `external` are verdicts: it can become an administrator, its
    trust admits anyone, or its trust admits a named outsider. `becomes` counts
    identities that it can assume.
    """

    subject: Annotated[str, Column("the identity")]
    account: Annotated[str, Column("the account")]
    gravity: Annotated[
        str,
        Column("the risk, as above; `not known` if the policies were not collected"),
    ]
    admin: Annotated[
        str, Column("verdict: the identity is an administrator or can become one")
    ]
    public: Annotated[str, Column("verdict: the trust policy allows everyone")]
    external: Annotated[
        str, Column("verdict: the trust policy allows a named external principal")
    ]
    becomes: Annotated[
        int | None, Column("number of identities that the identity can become")
    ]
    examples: Annotated[
        list[str], Column("up to ten of these identities, administrators first")
    ]
    agents: Annotated[list[str], Column("the agents that act through the identity")]
    path: Annotated[
        list[PathItem],
        Column("as in `reach`: to the administrator, otherwise from outside"),
    ]
    entered_by: Annotated[
        list[str], Column("external principals that the trust policy allows")
    ]
    unknown: NotRequired[
        Annotated[list[UncollectedSubjectItem], Column("as in `reach`")]
    ]
