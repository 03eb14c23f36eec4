"""JSON output of exported policies. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class OmittedClauseItem(TypedDict):
    """Clause of a profile that an exported policy does not contain."""

    reason: Annotated[
        str,
        Column(
            "`not-expressible`, `needs-signature`, `would-widen`, "
            "`resource-not-recorded`, `no-action`"
        ),
    ]
    layer: Annotated[str, Column("layer of the profile, L1 to L5")]
    action: Annotated[str, Column("the action or tool; empty for all")]
    text: Annotated[str, Column("the clause")]


class ExportedPolicyItem(TypedDict):
    """`answerable baseline export`: one document of a policy.

    Without a document, one item has `refusals` and an empty `text`. The omitted clauses
    are in the first item.
    """

    name: Annotated[str, Column("name of the document", "", 0)]
    target: Annotated[str, Column("target of the export", "", 0)]
    size: Annotated[
        int, Column("characters that count against the limit", "", 0, "number")
    ]
    limit: Annotated[int, Column("the limit; 0 for none", "", 0, "number")]
    refusals: Annotated[
        list[str], Column("reasons why no document was written", "refused", 1, "names")
    ]
    signed: Annotated[bool, Column("whether the owner signed the profile", "", 2)]
    profiles: Annotated[list[str], Column("digests of the profiles")]
    text: Annotated[str, Column("the document")]
    terraform: Annotated[
        str, Column("the document as a Terraform resource; empty if there is none")
    ]
    omitted: Annotated[
        list[OmittedClauseItem], Column("clauses that the document does not contain")
    ]


class DeployedDriftItem(TypedDict):
    """`answerable baseline check --deployed`: one difference to a signed profile."""

    drift: Annotated[
        str,
        Column(
            "`beyond-signed`: in force, but not signed; `missing`: signed, but not in "
            "force; `not-known`: data is missing",
            "",
            0,
        ),
    ]
    platform: Annotated[
        str, Column("`aws`, `kubernetes`, `gateway`, `gcp` or `azure`", "", 1)
    ]
    identity: Annotated[str, Column("identity of the profile", "", 1, floor=16)]
    action: Annotated[str, Column("the action, verb or tool", "", 0, floor=12)]
    resource: Annotated[
        str, Column("the resource; or the missing data", "", 1, floor=16)
    ]
    agent: Annotated[str, Column("agent of the profile")]
    profile: Annotated[str, Column("digest of the signed profile", "", 3, "digest")]
