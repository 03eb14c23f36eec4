"""JSON output about approval requests and policy exceptions. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class ApprovalRequestItem(TypedDict):
    """`answerable asks`: one blocked action and its owner's answer.

    `state` is `open`, `allowed`, `refused` or `expired`. `amendment` is the id of the
    exception that allows it, `by` the signer, `until` its end (null for never).
    """

    id: Annotated[
        str,
        Column(
            "the newest decision for this call; `allow` and the other commands accept the id of any decision for this call",
            "ask",
            0,
            "digest",
        ),
    ]
    state: Annotated[
        str,
        Column(
            "`open`; `allowed` or `refused` by the owner; `expired` if the owner did not decide within a day",
            "",
            0,
        ),
    ]
    agent: Annotated[str, Column("agent of the call", "", 1, "short-id", floor=12)]
    name: Annotated[
        str,
        Column("name of the tool, resource or prompt", "wants", 1, "target", floor=12),
    ]
    server: Annotated[str, Column("server of the call", "at", 2, floor=8)]
    last: Annotated[str, Column("time of the last attempt", "", 3, "time")]
    count: Annotated[int, Column("number of attempts", "times", 5, "count", right=True)]
    owner: Annotated[
        str | None,
        Column(
            "the attested owner of the agent; only this person may allow or refuse the call",
            "",
            4,
            "short-id",
            floor=10,
        ),
    ]
    by: Annotated[
        list[str],
        Column("persons who allowed or refused the call", "", 4, "names", floor=10),
    ]
    until: Annotated[
        str | None,
        Column(
            "end of the permission; null if the permission does not expire",
            "",
            5,
            "minute",
        ),
    ]
    target: Annotated[str, Column("`tool`, `resource` or `prompt`")]
    arguments: Annotated[str | None, Column("SHA-256 of the original arguments")]
    reason: Annotated[str, Column("`no-rule`, `asked` or `behaviour`")]
    written_by: Annotated[
        str, Column("`mediator`; `self-reported` for a request of a hook in the agent")
    ]
    first: Annotated[str, Column("time of the first attempt", format="time")]
    amendment: Annotated[str | None, Column("id of the amendment that allows the call")]


class PolicyExceptionItem(TypedDict):
    """`answerable asks amendments`: one policy exception, in force or not.

    `state` is `standing`, `open` for a break-glass that waits for its second person,
    or the reason why it is not in force. `arguments` is null for any arguments.
    """

    id: Annotated[
        str,
        Column(
            "SHA-256 of the signed statement; decisions refer to the statement as `amendment:ID`",
            "amendment",
            0,
            "digest",
        ),
    ]
    state: Annotated[
        str,
        Column(
            "`standing`: in force; `open`: waits for a second person; or the reason why the amendment is not in force: `ended`, `revoked`, `signer-not-the-owner`, `signer-not-attested`, `one-person-twice`, `confirms-another-agents`, `confirmed-late`, `first-key-not-in-force` (when the second person confirmed)",
            "",
            0,
            "words",
        ),
    ]
    kind: Annotated[str, Column("`owner`, `break-glass`", "", 2)]
    agent: Annotated[
        str, Column("the agent that may make the call", "", 1, "short-id", floor=12)
    ]
    name: Annotated[
        str,
        Column("name of the tool, resource or prompt", "may", 1, "target", floor=12),
    ]
    server: Annotated[str, Column("server of the call", "at", 2, floor=8)]
    arguments: Annotated[
        str | None,
        Column(
            "SHA-256 of the allowed arguments; null if any are allowed",
            "",
            4,
            "digest",
            empty="any",
        ),
    ]
    persons: Annotated[list[str], Column("signers", "by", 2, "names", floor=10)]
    until: Annotated[
        str | None,
        Column("end of validity; null without expiry", "", 3, "minute", empty="always"),
    ]
    code: Annotated[str | None, Column("the value of `--reason-code`", "", 5)]
    target: Annotated[str, Column("`tool`, `resource` or `prompt`")]
    signed_at: Annotated[str, Column("start of validity", format="time")]
    decision: Annotated[str | None, Column("the decision that denied the call")]
