"""Values of a requested call and their authors, for the person who signs."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.baseline.findings import described
from answerable.model.behaviour import Origin, OriginKind, Value
from answerable.model.decision import Reason
from answerable.model.spool_record import Acted
from answerable.presentation.text import quoted
from answerable.services.authorization import decision_records
from answerable.services.authorization.approval_requests import Ask
from answerable.services.authorization.decision_items import acted_of
from answerable.services.authorization.decision_records import Spooled
from answerable.store.store import Store

NOT_KEPT = (
    "the arguments are not kept, only their SHA-256: no baseline watches the agent, so "
    "it is not known what they are or who wrote them"
)
STRANGERS = "WRITTEN BY STRANGERS"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Values of one requested call, as far as they are recorded.

    Attributes:
        lines: One per value and per difference from the baseline. Untrusted text is
            quoted.
        is_doubtful: Whether a value may come from untrusted content: an exception is
            then limited to these arguments, and in time.
    """

    lines: tuple[str, ...]
    is_doubtful: bool


def provenance(store: Store, waiting: Spooled, ask: Ask) -> Provenance:
    """Describe the values of a requested call and their authors.

    Args:
        store: Store of the decision.
        waiting: Spool content.
    """
    event = decision_records.find(store, waiting, ask.named)[0].event
    acted = acted_of(decision_records.facts_of(event))
    if acted is None:
        return Provenance((NOT_KEPT,) if ask.wanted.arguments else (), False)
    held = ask.newest.reason == Reason.BEHAVIOUR
    doubtful = any(_is_doubtful(each, held=held) for each in acted.seen.values)
    doubtful |= any(_by_strangers(each.origin) for each in acted.findings)
    return Provenance(tuple(_lines(acted)), doubtful)


def _lines(acted: Acted) -> Iterator[str]:
    for value in acted.seen.values:
        yield f"{quoted(value.path)}: {_shown(value)}, {_source(value)}"
    for path, millionths in acted.seen.numbers:
        yield f"{quoted(path)}: {millionths / 1e6:g}"
    for finding in acted.findings:
        if finding.sentence:
            yield f"differs from what was learned: {quoted(finding.sentence)}"
    if acted.seen.after:
        tools = ", ".join(map(quoted, acted.seen.after))
        yield f"before it, the agent read text of strangers, by {tools}"


def _shown(value: Value) -> str:
    return (
        quoted(value.text) if value.text else f"a value of type {value.kind}, not kept"
    )


def _source(value: Value) -> str:
    if not value.text:
        return "from where is not kept"
    if not value.origins:
        return "nothing that was seen explains it"
    said = f"from {quoted(described(value.origins[0]))}"
    return f"{said}, {STRANGERS}" if any(map(_by_strangers, value.origins)) else said


def _is_doubtful(value: Value, *, held: bool) -> bool:
    """Return whether a value may come from untrusted content."""
    unknown = not value.text or (value.sensitive and not value.origins)
    return any(map(_by_strangers, value.origins)) or (held and unknown)


def _by_strangers(origin: Origin | None) -> bool:
    if origin is None:
        return False
    return origin.kind is OriginKind.BEFORE or not origin.trusted
