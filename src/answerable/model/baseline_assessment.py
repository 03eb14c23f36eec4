"""Types of a call's assessment against a baseline: deviations and their effect."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.baseline import AcceptedDeviation, BaselineLayer
from answerable.model.behaviour import ValueOrigin
from answerable.model.decision import DecisionEffect


class DeviationCode(StrEnum):
    """Kind of deviation from a baseline."""

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
class BaselineDeviation:
    """Deviation of a call from the profile, with the expected values.

    Attributes:
        code: Kind of deviation.
        effect: Resulting effect on the call.
        tool: `SERVER/TOOL`.
        path: Argument path, empty for none.
        expected: At most ten expected values of the layer, the most frequent first.
        observed: Observed value.
        origin: Origin of the value, None for an unexplained one.
        example: Evidence id of the nearest normal call, empty where there is none.
        sentence: One sentence, for owners; agents never see it.
    """

    layer: BaselineLayer
    code: DeviationCode
    effect: DecisionEffect
    tool: str
    path: str
    expected: tuple[str, ...]
    observed: str
    origin: ValueOrigin | None
    example: str
    sentence: str


@dataclass(frozen=True, slots=True)
class BaselineAssessment:
    """Assessment of one call by a profile.

    Attributes:
        effect: Allow, ask or deny: the strictest of the findings.
        findings: Strictest first.
        amendment: The smallest change that would allow this call and no other one;
            None where it is allowed.
        evidence: Evidence ids of the call and of calls whose results it used.
    """

    effect: DecisionEffect
    findings: tuple[BaselineDeviation, ...] = ()
    amendment: AcceptedDeviation | None = None
    evidence: tuple[str, ...] = ()


NO_DEVIATION = BaselineAssessment(DecisionEffect.ALLOW)
