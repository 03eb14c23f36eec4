"""Table of renderers by kind of document."""

from collections.abc import Callable, Iterator

from answerable.cli.render import (
    approval_requests,
    aws_comparison,
    baselines,
    decisions,
    filed_requests,
    generic,
    inventory,
    lineage,
    owners,
    permissions,
    policy_edits,
    policy_replay,
    revocations,
    tool_pins,
    tree,
    trust_rules,
    unmediated,
    used_actions,
)
from answerable.cli.render.coverage import coverage_line, coverage_list
from answerable.cli.render.screen import Screen
from answerable.model.documents.core import Document
from answerable.presentation.coverage_text import missing
from answerable.presentation.text import safe

View = Callable[[Document, Screen, int], Iterator[str]]

VIEWS: dict[str, View] = {
    "agents": inventory.agents,
    "tools": inventory.tools,
    "tools-diff": tool_pins.diff,
    "tools-approve": tool_pins.approved,
    "identities": inventory.identities,
    "credentials": inventory.credentials,
    "people": inventory.people,
    "who-owns": owners.who_owns,
    "attest": owners.who_owns,
    "owner-keys": owners.keys,
    "asks": approval_requests.asks,
    "amendments": approval_requests.amendments,
    "requests": filed_requests.requests,
    "kill": revocations.effects,
    "baselines": baselines.listed,
    "baseline": baselines.whole,
    "baseline-diff": baselines.changes,
    "baseline-replay": baselines.replayed,
    "baseline-check": baselines.departures,
    "reach": permissions.reach,
    "who-can": permissions.reach,
    "can": permissions.can,
    "reach-used": used_actions.used,
    "reach-all": policy_edits.everybody,
    "what-if": policy_edits.what_if,
    "what-if-cuts": policy_edits.cuts,
    "reach-compared": aws_comparison.compared,
    "scan": generic.scan,
    "where": generic.where,
    "ingest": generic.ingest,
    "doctor": generic.checks,
    "verify": generic.checks,
    "prove": generic.prove,
    "bundle/kept": generic.bundle,
    "decision": decisions.decision,
    "trace": lineage.rows,
    "trace/tree": tree.tree,
    "trace-score": generic.score,
    "trace-by": generic.counted,
    "trace-unmediated": unmediated.rows,
    "trace-unmediated/tree": unmediated.chains_of,
    "replay": policy_replay.replay,
    "sts-rules": trust_rules.rules,
    "sts-test": trust_rules.fits,
    "sts-explain": trust_rules.token,
}

# Text of an empty answer: what is missing, and the command that supplies it.
EMPTY = {
    "tools-diff": ("nothing differs from what it is held to", ""),
    "trace": ("no event fits", "answerable ingest cloudtrail:PATH reads a trail in"),
    "trace-by": ("no event fits", "answerable ingest cloudtrail:PATH reads a trail in"),
    "trace-unmediated": ("nothing is shown to be unmediated", ""),
    "reach": ("nothing, as far as was collected", ""),
    "reach-used": ("nothing granted and no call, as far as was collected", ""),
    "what-if": ("nothing changes, as far as was collected", ""),
    "what-if-cuts": ("nothing to cut: no way there, as far as was collected", ""),
    "reach-all": ("no identity, as far as was collected", ""),
    "who-can": ("no identity, as far as was collected", ""),
    "sql": ("no rows", ""),
    "login": ("nobody is signed in", "answerable login"),
    "sts-rules": ("no rules", "docs/configuration.md has an example"),
    "sts-test": ("no rules", "docs/configuration.md has an example"),
    "baseline-diff": ("nothing changes", ""),
    "baseline-check": ("nothing departs from what was learned", ""),
    "asks": ("no agent asked for anything that its owner could allow", ""),
    "requests": ("no request was filed", "answerable requests file AGENT"),
    "amendments": ("no policy exception was signed", ""),
    "owner-keys": (
        "no owner key is enrolled",
        "answerable owner-keys new --person PERSON makes one",
    ),
}
# Text of an answer that is empty because of a filter.
_NARROWED = {
    "asks": "no ask fits",
    "requests": "no request fits",
    "amendments": "no amendment counts",
}
# Kinds that depend on the machine or the log, not on a scanned source.
UNSOURCED = {
    "tools-diff",
    "tools-approve",
    "where",
    "doctor",
    "verify",
    "checkpoint",
    "prove",
    "bundle",
    "sts-rules",
    "sts-test",
    "sts-explain",
}
UNSOURCED |= {"owner-keys", "owner-keys-new", "login", "decision", "replay"}
UNSOURCED |= {"asks", "amendments", "baselines", "baseline", "baseline-diff"}
UNSOURCED |= {"baseline-replay", "requests"}
# An empty list of these kinds is not known to be empty if its sources are missing.
_COUNTED = {"agents", "tools", "identities", "credentials", "people", "trace-score"}
# Logs that an empty answer depends on.
_NO_LOG = "no log was ingested (answerable ingest cloudtrail:PATH)"
_RESTS_ON = {
    "trace": ("cloudtrail", _NO_LOG),
    "trace-by": ("cloudtrail", _NO_LOG),
    "asks": ("gateway", "no gateway has recorded here"),
}
_UNSCANNED = "answerable scan reads this home and this folder"


def render(
    document: Document,
    screen: Screen,
    now: int,
    view: str = "",
    *,
    whole: bool = False,
) -> Iterator[str]:
    """Render a document, then its coverage.

    Args:
        screen: Terminal.
        now: UTC nanoseconds.
        view: Another renderer of this kind, empty for the default.
        whole: Show the full coverage instead of one line.
    """
    kind = f"{document.kind}/{view}" if view else document.kind
    if document.items:
        yield from VIEWS.get(kind, generic.anything)(document, screen, now)
    else:
        yield from _empty(document)
    if document.coverage["sources"] or document.kind not in UNSOURCED:
        yield ""
        if whole:
            yield from coverage_list(document.coverage)
        else:
            yield coverage_line(document.coverage, screen)


def _absent(document: Document) -> str:
    """Describe a missing log that the answer depends on; empty if none is missing."""
    source, said = _RESTS_ON.get(document.kind, ("", ""))
    return said if source in document.coverage["not_collected"] else ""


def _empty(document: Document) -> Iterator[str]:
    """Render an empty answer, with the command that would fill it."""
    scanned = bool(document.coverage["sources"])
    what, fill = EMPTY.get(document.kind, ("", ""))
    if not what:
        what = f"no {document.kind} found" if scanned else f"no {document.kind} yet"
    lacking = document.coverage["not_collected"]
    if document.kind in _COUNTED and lacking and not document.searched:
        what, fill = (
            f"{document.kind} not known",
            f"{missing(document.coverage)} missing",
        )
    elif absent := _absent(document):
        what, fill = "not known", absent
    elif document.searched:
        what = _NARROWED.get(document.kind, what)
        fill = safe(document.searched)
    elif document.next and scanned:
        fill = f"try {safe(document.next)}"
    elif not fill and not scanned and document.kind not in UNSOURCED:
        fill = _UNSCANNED
    yield f"{what}: {fill}" if fill else what
