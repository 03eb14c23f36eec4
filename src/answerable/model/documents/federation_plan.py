"""JSON output of `plan`. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column
from answerable.model.documents.least_privilege import PolicyFileItem, ProofItem


class PlanStepItem(TypedDict):
    """Step of a replacement, in order."""

    step: Annotated[str, Column("the instruction")]
    command: Annotated[str, Column("the command; empty for none")]


class FederationPlanItem(TypedDict):
    """`answerable plan`: replacement of one static credential."""

    credential: Annotated[str, Column("the credential", "", 0, "id", floor=12)]
    kind: Annotated[str, Column("the kind", "", 1)]
    name: Annotated[str, Column("variable, header or file name of the credential")]
    place: Annotated[str, Column("location of the credential", "", 2, floor=12)]
    identity: Annotated[
        str | None,
        Column("identity that the credential proves", "", 1, "identity", floor=12),
    ]
    replaced_by: Annotated[str, Column("the replacement", "replaced by", 0, floor=16)]
    use: Annotated[
        str,
        Column(
            "`in-use`; `silent`: not used for longer than its longest pause; `not-known`: no log of the account, or no use in that log",
            "",
            0,
        ),
    ]
    last_used: Annotated[
        str | None, Column("the latest use in logs or the scan", "last used", 1, "time")
    ]
    longest_pause_s: Annotated[
        int | None, Column("longest time between two uses, in seconds")
    ]
    uses: Annotated[int | None, Column("number of logged calls; null if not known")]
    trust: Annotated[str, Column("trust policy of the new role; empty if not AWS")]
    terraform: Annotated[str, Column("the configuration of the platform as Terraform")]
    rule: Annotated[
        str,
        Column(
            "trust rule of the token service for `answerable.yaml`; empty without "
            "`--uid`, or if the token service issues no token"
        ),
    ]
    policies: Annotated[
        list[PolicyFileItem], Column("least privilege of the identity, from logs")
    ]
    proofs: Annotated[list[ProofItem], Column("as in `least-privilege`")]
    steps: Annotated[list[PlanStepItem], Column("steps in order")]
