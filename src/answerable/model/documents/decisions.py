"""JSON output about authorization decisions. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class DeterminingRuleItem(TypedDict):
    """Determining rule, revoked subject or policy exception, with its text.

    `text` is the current text of the file, or the signed statement; `place` is
    `FILE:LINE`.
    """

    id: Annotated[str, Column("a rule, a killed subject, an amendment")]
    text: Annotated[
        str | None,
        Column(
            "text from the file of `--config` or its Cedar policies; for an amendment, the signed statement"
        ),
    ]
    place: Annotated[str | None, Column("`FILE:LINE`, or the signers of the amendment")]
    current: Annotated[bool, Column("whether the text is unchanged since the decision")]


class ProposedExceptionItem(TypedDict):
    """Smallest policy exception that would allow a call like this.

    `by` is the required signer: `owner`, or `two persons` for break-glass; `sign` is
    the command. `arguments` is the SHA-256 of the arguments as received, null for none.
    """

    agent: Annotated[str, Column("the agent")]
    server: Annotated[str, Column("the server")]
    target: Annotated[str, Column("kind of the target")]
    name: Annotated[str, Column("name of the target")]
    arguments: Annotated[
        str | None, Column("SHA-256 of the arguments as received; null for none")
    ]
    by: Annotated[str, Column("required signers: `owner`, `two persons`")]
    sign: Annotated[str, Column("the command that signs the amendment")]


class BaselineDeviationItem(TypedDict):
    """Deviation of a call from the agent's baseline, with the expected values.

    `origin` is the origin of the value; `example` is the decision of the nearest normal
    call.
    """

    layer: Annotated[str, Column("layer of the baseline")]
    code: Annotated[str, Column("kind of deviation")]
    effect: Annotated[str, Column("`ask` or `deny`")]
    tool: Annotated[str, Column("the tool")]
    path: Annotated[str, Column("the argument")]
    expected: Annotated[list[str], Column("usual values")]
    observed: Annotated[str, Column("the value of the call")]
    origin: Annotated[str, Column("origin of the value")]
    example: Annotated[str | None, Column("decision of the nearest normal call")]
    sentence: Annotated[str, Column("description of the deviations")]


class ValueOriginItem(TypedDict):
    """Value of a call with its best explanation.

    `evidence` is the id of the signed request, or of the call that returned the value.
    """

    path: Annotated[str, Column("the argument")]
    value: Annotated[str, Column("the value")]
    origin: Annotated[str, Column("the origin")]
    evidence: Annotated[
        str | None,
        Column(
            "the id of the signed [request](#answerable-requests), or of the call that returned the value"
        ),
    ]


class DecisionItem(TypedDict):
    """`answerable decision`: one complete decision; times are RFC 3339, UTC."""

    id: Annotated[str, Column("of the decision")]
    at: Annotated[str, Column("when", format="time")]
    agent: Annotated[str, Column("agent of the call")]
    person: Annotated[
        str | None,
        Column("person of the call, if our own token service names a person"),
    ]
    run: Annotated[str, Column("one attested start of the agent")]
    principal: Annotated[str, Column("the caller: issuer and subject, or uid and unit")]
    shown: Annotated[
        str,
        Column(
            "kind of authentication: `mtls-token`, `dpop-token`, `unix-peer`, "
            "`parent-process`, `bearer-token`"
        ),
    ]
    known: Annotated[
        bool, Column("whether the agent is in the configuration or the inventory")
    ]
    action: Annotated[str, Column("`mcp:` and the method")]
    server: Annotated[str, Column("server of the call")]
    target: Annotated[
        str, Column("kind of the target: `tool`, `resource`, `prompt`, ...")
    ]
    name: Annotated[str, Column("name of the target")]
    resource: Annotated[str, Column("the same resource as one id or URI")]
    arguments: Annotated[
        str | None, Column("SHA-256 of the original arguments, which are not stored")
    ]
    effect: Annotated[str, Column("`allow`, `ask`, `deny`, `error`")]
    mode: Annotated[str, Column("mode of the agent: `observe`, `shadow`, `enforce`")]
    passed: Annotated[bool, Column("the call was forwarded")]
    reason: Annotated[str, Column("see [the gateway's page](gateway.md#decisions)")]
    layer: Annotated[
        str,
        Column(
            "the determining layer: `kill`, `quarantine`, `table`, `constraint`, `cedar`, `chain`, `baseline`, `ownership`, `credential`, `evidence`"
        ),
    ]
    policy: Annotated[str | None, Column("digest of the policy that decided")]
    determining: Annotated[list[DeterminingRuleItem], Column("the layer that decided")]
    durability: Annotated[str, Column("`buffered` or `durable`")]
    outcome: Annotated[str, Column("as in `trace`")]
    ended: Annotated[str | None, Column("end of the call, if the call was forwarded")]
    identity: Annotated[str | None, Column("identity of the call at the server")]
    credential: Annotated[str | None, Column("credential of the caller")]
    recorder: Annotated[str, Column("recorder of the record")]
    sequence: Annotated[int, Column("number of the record")]
    stored: Annotated[
        bool,
        Column(
            "whether the record is in the store; otherwise the record is still in the spool"
        ),
    ]
    amendment: Annotated[
        ProposedExceptionItem | None,
        Column(
            "the smallest amendment that would allow this call; null if no amendment can: kills, quarantine, errors, and handles of another caller"
        ),
    ]
    baseline: Annotated[str | None, Column("the profile that was used for the call")]
    findings: Annotated[
        list[BaselineDeviationItem],
        Column("deviations of the call from the agent's [baseline](baseline.md)"),
    ]
    explained: Annotated[
        list[ValueOriginItem], Column("values of the call with a known origin")
    ]
