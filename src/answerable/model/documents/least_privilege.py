"""JSON output of `least-privilege`. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column
from answerable.model.documents.policy_export import OmittedClauseItem


class ObservedActionItem(TypedDict):
    """Action that an identity called."""

    action: Annotated[str, Column("the name of the action in IAM", "", 0, floor=20)]
    calls: Annotated[int, Column("successful calls", "", 0, "number", right=True)]
    last_used: Annotated[str, Column("the latest call", "last used", 1, "time")]
    state: Annotated[
        str,
        Column(
            "`kept`; `not-granted`: today's own policies do not allow it; `not-known`: "
            "it is not in the policy, and whether today's own policies allow it is not "
            "known; `no-action`: IAM has no such action",
            "",
            0,
        ),
    ]
    resources: Annotated[
        list[str], Column("resources that the log names", "", 2, "names", floor=16)
    ]
    unnamed: Annotated[
        bool,
        Column("whether one or more calls have no resource in the log", "", 3, "flag"),
    ]
    privileged: Annotated[
        bool,
        Column(
            "whether the action can grant further permissions (sessions, roles, IAM)",
            "",
            1,
            "flag",
        ),
    ]
    via: Annotated[
        list[str],
        Column("services that called on behalf of the identity", "", 3, "names"),
    ]


class ServiceUsageItem(TypedDict):
    """Granted actions of one service, by what the log says of their use."""

    service: Annotated[str, Column("service prefix")]
    granted: Annotated[int, Column("actions that the identity's own policies allow")]
    used: Annotated[int, Column("of these, called")]
    unused: Annotated[
        int,
        Column(
            "number of these actions without a call, although logs record such calls"
        ),
    ]
    not_recorded: Annotated[int, Column("number of these actions that no log records")]


class ProofItem(TypedDict):
    """Proof by evaluation of the whole account."""

    proof: Annotated[
        str,
        Column(
            "`subset-of-today`: nothing is newly allowed, over every path; "
            "`observed-still-allowed`: each observed call is allowed as today"
        ),
    ]
    verdict: Annotated[str, Column("`holds`, `fails` or `not-known`")]
    details: Annotated[
        list[str], Column("calls that contradict the proof, or data that is missing")
    ]


class PolicyFileItem(TypedDict):
    """Document of a policy."""

    name: Annotated[str, Column("name of the document")]
    size: Annotated[int, Column("characters that count against the limit")]
    limit: Annotated[int, Column("the limit; 0 for none")]
    text: Annotated[str, Column("the document")]
    terraform: Annotated[str, Column("the document as a Terraform resource")]


class LeastPrivilegeItem(TypedDict):
    """`answerable least-privilege`: one identity."""

    identity: Annotated[str, Column("the identity", "", 0, "identity")]
    identities: Annotated[
        list[str],
        Column("identities with events that count: all roles of a permission set"),
    ]
    target: Annotated[str, Column("kind of policy, as in `baseline export`")]
    recorded_since: Annotated[
        str | None,
        Column("start of the logs of the account", format="time"),
    ]
    granted: Annotated[
        int | None,
        Column("actions that the identity's own policies allow; null if not known"),
    ]
    reachable: Annotated[
        int | None, Column("actions that are reachable, also through other identities")
    ]
    used: Annotated[int, Column("actions that the identity called")]
    kept: Annotated[int | None, Column("actions that the policy allows")]
    services: Annotated[list[ServiceUsageItem], Column("granted actions by service")]
    actions: Annotated[
        list[ObservedActionItem], Column("actions that the identity called")
    ]
    proofs: Annotated[list[ProofItem], Column("proofs by evaluation")]
    policies: Annotated[list[PolicyFileItem], Column("the policy; empty if refused")]
    refusals: Annotated[list[str], Column("reasons why no policy was derived")]
    omitted: Annotated[
        list[OmittedClauseItem], Column("observed calls that the policy does not allow")
    ]
