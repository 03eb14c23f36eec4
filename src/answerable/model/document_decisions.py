"""The documents about decisions: shapes only. See docs/cli.md."""

from typing import TypedDict


class DeterminingRuleItem(TypedDict):
    """What decided: a rule, a subject or an amendment, with its text where it is there.

    `text` is as it stands in the file now, or what persons signed; `place` is
    `FILE:LINE`.
    """

    id: str
    text: str | None
    place: str | None
    current: bool


class WantedItem(TypedDict):
    """The smallest amendment that would allow a call like this.

    `by` is who may sign it: `owner`, or `two persons` for break-glass, and `sign` the
    command for that. `arguments` is the SHA-256 of the arguments as they came, null
    for a call without any.
    """

    agent: str
    server: str
    target: str
    name: str
    arguments: str | None
    by: str
    sign: str


class FindingItem(TypedDict):
    """One thing of a call that the agent's baseline does not hold, and what would.

    `origin` says where the value came from; `example` is the decision of the nearest
    normal call.
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


class ExplainedItem(TypedDict):
    """One value of a call, and what explains it best.

    `evidence` is the id of what was signed, or of the call that it came back from.
    """

    path: str
    value: str
    origin: str
    evidence: str | None


class DecisionItem(TypedDict):
    """`answerable decision`: one decision, whole; times are RFC 3339, UTC."""

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
    amendment: WantedItem | None
    baseline: str | None
    findings: list[FindingItem]
    explained: list[ExplainedItem]
