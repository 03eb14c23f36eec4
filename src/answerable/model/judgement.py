"""Judgements: what a baseline makes of one call, for owners and operators."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.baseline import Accepted, BaselineLayer
from answerable.model.behaviour import Origin
from answerable.model.decision import Effect


class Code(StrEnum):
    """What of a call a baseline does not hold."""

    NEW_TOOL = "new-tool"
    NEW_RESOURCE = "new-resource"
    NEW_FLOW = "new-flow"
    UNEXPLAINED = "unexplained-entity"
    UNTRUSTED_FLOW = "untrusted-flow"
    NOT_IN_TABLE = "not-in-table"
    PROVISIONAL = "provisional-flow"
    NEW_CONTEXT = "new-context"
    MISSING_READS = "missing-reads"
    OVER_BOUND = "over-bound"
    NEW_WORKLOAD = "new-workload"
    NEW_NETWORK = "new-network"
    NEW_REGION = "new-region"
    UNUSUAL_HOUR = "unusual-hour"
    UNUSUAL_RATE = "unusual-rate"
    CROWDED = "too-many-entities"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing of a call that the profile does not hold, and what would.

    Attributes:
        layer: Which layer.
        code: What, for machines.
        effect: What it makes of the call.
        tool: `SERVER/TOOL`.
        path: Argument path, empty where none is concerned.
        expected: What the layer holds there, the most usual first, ten at most.
        observed: What was there.
        origin: Where it came from, None where nothing explains it.
        example: Evidence id of the nearest normal call, empty where there is none.
        sentence: One sentence, for owners; agents never see it.
    """

    layer: BaselineLayer
    code: Code
    effect: Effect
    tool: str
    path: str
    expected: tuple[str, ...]
    observed: str
    origin: Origin | None
    example: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a profile makes of one call.

    Attributes:
        effect: Allow, ask or deny: the strictest of the findings.
        findings: Strictest first.
        amendment: The smallest change that would allow this call and no other one;
            None where it is allowed.
        evidence: Evidence ids of the call, and of calls whose results it drew on.
    """

    effect: Effect
    findings: tuple[Finding, ...] = ()
    amendment: Accepted | None = None
    evidence: tuple[str, ...] = ()


ALLOWED = Judgement(Effect.ALLOW)
