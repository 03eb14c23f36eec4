"""JSON output of the commands `answerable credential-policies`. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class CredentialPolicyItem(TypedDict):
    """Signed credential policy in force; times are RFC 3339 UTC.

    `document` is null once the policy has ended. `not_held` lists what it does not
    limit.
    """

    agent: Annotated[str, Column("the agent", "", 0)]
    platform: Annotated[str, Column("`aws`, `kubernetes` or `github`", "", 0)]
    duration_s: Annotated[
        int, Column("lifetime of each credential, in seconds", "seconds", 1, "number")
    ]
    profile: Annotated[
        str | None, Column("AWS profile; null for the default profile", "", 1)
    ]
    role: Annotated[str | None, Column("AWS role that is assumed", "", 1, floor=12)]
    person: Annotated[str, Column("owner who signed the policy", "", 1)]
    expires_at: Annotated[str, Column("end of the signature", "", 0, "time")]
    signed_at: Annotated[str, Column("time of the signature", format="time")]
    digest: Annotated[str, Column("SHA-256 of the signed statement")]
    document: Annotated[
        dict[str, object] | None,
        Column("the session policy, or the restrictions of another platform"),
    ]
    not_held: Annotated[list[str], Column("access that the policy does not limit")]
