"""JSON output about authorization decisions. See docs/cli.md."""

from typing import TypedDict


class DeterminingRuleItem(TypedDict):
    """Determining rule, revoked subject or policy exception, with its text.

    `text` is the current text of the file, or the signed statement; `place` is
    `FILE:LINE`.
    """

    id: str
    text: str | None
    place: str | None
    current: bool


class ProposedExceptionItem(TypedDict):
    """Smallest policy exception that would allow a call like this.

    `by` is the required signer: `owner`, or `two persons` for break-glass; `sign` is
    the command. `arguments` is the SHA-256 of the arguments as received, null for none.
    """

    agent: str
    server: str
    target: str
    name: str
    arguments: str | None
    by: str
    sign: str


class BaselineDeviationItem(TypedDict):
    """Deviation of a call from the agent's baseline, with the expected values.

    `origin` is the origin of the value; `example` is the decision of the nearest normal
    call.
    """

    layer: str
    code: str
    effect: str
    tool: str
    path: str
    expected: list[str]
    observed: str
    origin: str
    example: str | None
    sentence: str


class ValueOriginItem(TypedDict):
    """Value of a call with its best explanation.

    `evidence` is the id of the signed request, or of the call that returned the value.
    """

    path: str
    value: str
    origin: str
    evidence: str | None


class DecisionItem(TypedDict):
    """`answerable decision`: one complete decision; times are RFC 3339, UTC."""

    id: str
    at: str
    agent: str
    person: str | None
    run: str
    principal: str
    shown: str
    known: bool
    action: str
    server: str
    target: str
    name: str
    resource: str
    arguments: str | None
    effect: str
    mode: str
    passed: bool
    reason: str
    layer: str
    policy: str | None
    determining: list[DeterminingRuleItem]
    durability: str
    outcome: str
    ended: str | None
    identity: str | None
    credential: str | None
    recorder: str
    sequence: int
    stored: bool
    amendment: ProposedExceptionItem | None
    baseline: str | None
    findings: list[BaselineDeviationItem]
    explained: list[ValueOriginItem]
