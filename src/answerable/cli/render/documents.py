"""Render any document by the renderer of its kind, then its coverage."""

from collections.abc import Callable, Iterator, Mapping
from pkgutil import resolve_name
from typing import cast

from answerable.cli.render.coverage import format_coverage_line, list_coverage_lines
from answerable.cli.render.listing import render_listing
from answerable.cli.render.screen import Screen
from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import REMOVALS
from answerable.presentation.column_selection import USUAL_COLUMNS, ColumnSelection
from answerable.presentation.coverage_text import describe_missing_data
from answerable.presentation.text import sanitize

Renderer = Callable[[Document, Screen, int], Iterator[str]]

# Function of each kind, imported when needed: a command loads its own alone.
RENDERERS: Mapping[str, str] = {
    "tools-diff": "answerable.cli.render.tool_pins.render_differences",
    "tools-approve": "answerable.cli.render.tool_pins.render_approval",
    "who-owns": "answerable.cli.render.owners.render_ownership",
    "attest": "answerable.cli.render.owners.render_ownership",
    "baselines": "answerable.cli.render.baselines.render_profiles",
    "baseline": "answerable.cli.render.baselines.render_entries",
    "baseline-replay": "answerable.cli.render.baselines.render_replay",
    "reach": "answerable.cli.render.permissions.render_reach",
    "who-can": "answerable.cli.render.permissions.render_reach",
    "can": "answerable.cli.render.permissions.render_can",
    "reach-used": "answerable.cli.render.used_actions.render_used_actions",
    "least-privilege": "answerable.cli.render.least_privilege.render_least_privilege",
    "reach-all": "answerable.cli.render.policy_edits.render_exposures",
    "what-if": "answerable.cli.render.policy_edits.render_what_if",
    "what-if-cuts": "answerable.cli.render.policy_edits.render_cuts",
    "reach-compared": "answerable.cli.render.aws_comparison.render_comparison",
    "doctor": "answerable.cli.render.generic_documents.render_checks",
    "verify": "answerable.cli.render.generic_documents.render_checks",
    "prove": "answerable.cli.render.generic_documents.render_proofs",
    "decision": "answerable.cli.render.decisions.render_decisions",
    "trace/tree": "answerable.cli.render.lineage_tree.render_tree",
    "trace-by": "answerable.cli.render.event_counts.render_counts",
    "trace-compare": "answerable.cli.render.event_counts.render_window_changes",
    "trace-unmediated/tree": "answerable.cli.render.unmediated_events.render_unmediated_chains",
    "replay": "answerable.cli.render.policy_replay.render_policy_replay",
    "sts-explain": "answerable.cli.render.generic_documents.render_checks",
}

# Lines below a table.
FOOTERS: Mapping[str, str] = {
    "asks": "answerable.cli.render.generic_documents.render_unread_sources",
    "scan": "answerable.cli.render.generic_documents.render_snapshot_name",
    "sts-rules": "answerable.cli.render.trust_rules.render_rule_faults",
    "trace": "answerable.cli.render.lineage.render_table_notes",
    "trace-score": "answerable.cli.render.generic_documents.render_missing_sources",
    "trace-first-seen": "answerable.cli.render.event_counts.render_unknown_changes",
    "trace-unmediated": "answerable.cli.render.unmediated_events.render_unmediated_notes",
}
# Text of an empty answer: what is missing, and the command that supplies it.
EMPTY_TEXTS = {
    "tools-diff": ("no definition differs from the approved one", ""),
    "trace": ("no event matches", "answerable ingest cloudtrail:PATH reads a log"),
    "trace-by": ("no event matches", "answerable ingest cloudtrail:PATH reads a log"),
    "trace-compare": ("no changed count is known", ""),
    "trace-first-seen": ("no new value is known", ""),
    "trace-unmediated": ("no unmediated event is known", ""),
    "reach": ("no permission in the collected data", ""),
    "reach-used": ("no permission and no call in the collected data", ""),
    "what-if": ("no change in the collected data", ""),
    "what-if-cuts": ("nothing to cut: no access in the collected data", ""),
    "reach-all": ("no identity in the collected data", ""),
    "who-can": ("no identity in the collected data", ""),
    "diff": ("no difference in the collected data", ""),
    "findings": ("no finding in the collected data", ""),
    "sql": ("no rows", ""),
    "store": ("no event is stored", "answerable ingest cloudtrail:PATH reads a log"),
    "store-changes": ("nothing to change", ""),
    "holds": ("no hold is in force", ""),
    "credential-policies": (
        "no credential policy is in force",
        "answerable credential-policies sign AGENT --for aws --starter metadata",
    ),
    "login": ("no person is signed in", "answerable login"),
    "sts-rules": ("no rules", "see docs/configuration.md for an example"),
    "sts-test": ("no rules", "see docs/configuration.md for an example"),
    "baseline-diff": ("nothing changes", ""),
    "baseline-check": ("no new action", ""),
    "plan": ("no known static credential that a platform can replace", ""),
    "baseline-deployed": ("permissions in force equal the signed profiles", ""),
    "asks": ("no approval requests", ""),
    "requests": ("no requests", "answerable requests file AGENT"),
    "amendments": ("no policy exceptions", ""),
    "protect-status": ("no client with a server in this home", ""),
    "saved-queries": ("no saved queries", "answerable trace --save NAME saves one"),
    "cases": ("no cases", "answerable case new TITLE opens one"),
    "owner-keys": (
        "no owner keys are enrolled",
        "answerable owner-keys new --person PERSON makes one",
    ),
}
# Text of an answer that is empty because of a filter.
_EMPTY_FILTERED_TEXTS = {
    "asks": "no approval request matches",
    "requests": "no request matches",
    "amendments": "no policy exception matches",
}
# Kinds that depend on the machine or the log, not on a scanned source.
KINDS_WITHOUT_SOURCES = {
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
KINDS_WITHOUT_SOURCES |= {
    "store",
    "store-changes",
    "holds",
    "cases",
    "case-bundle",
    "saved-queries",
}
KINDS_WITHOUT_SOURCES |= {"owner-keys", "owner-keys-new", "login", "decision", "replay"}
KINDS_WITHOUT_SOURCES |= {
    "asks",
    "amendments",
    "baseline-export",
    "baselines",
    "baseline",
    "baseline-diff",
    "access-replay",
    "credential-policies",
}
KINDS_WITHOUT_SOURCES |= {"baseline-replay", "requests", "protect-status", "agent-mode"}
# An empty list of these kinds is not known to be empty if its sources are missing.
_COUNTED_KINDS = {
    "agents",
    "tools",
    "identities",
    "credentials",
    "people",
    "trace-score",
    "findings",
}
# Logs that an empty answer depends on.
_NO_LOG_TEXT = "no log was ingested (answerable ingest cloudtrail:PATH)"
_REQUIRED_LOGS = {
    "trace": ("cloudtrail", _NO_LOG_TEXT),
    "trace-by": ("cloudtrail", _NO_LOG_TEXT),
    "trace-compare": ("cloudtrail", _NO_LOG_TEXT),
    "trace-first-seen": ("cloudtrail", _NO_LOG_TEXT),
    "asks": ("gateway", "no gateway has recorded calls in this store"),
}
_SCAN_HINT = "answerable scan reads this home and this folder"


def get_renderer(name: str) -> Renderer:
    """Return a renderer of `RENDERERS` or `FOOTERS` by its dotted name."""
    return cast("Renderer", resolve_name(name))


def render_document(
    document: Document,
    screen: Screen,
    now: int,
    view: str = "",
    *,
    full_coverage: bool = False,
    selection: ColumnSelection = USUAL_COLUMNS,
) -> Iterator[str]:
    """Render an answer as text: its rows, then which data it covers.

    Args:
        screen: Terminal.
        now: UTC nanoseconds.
        view: Another renderer of this kind, empty for the default.
        full_coverage: Show the full coverage instead of one line.
        selection: Columns of a table.
    """
    kind = f"{document.kind}/{view}" if view else document.kind
    if document.items and (selection.names or kind not in RENDERERS):
        yield from render_listing(document, screen, now, selection)
        if kind in FOOTERS:
            yield from get_renderer(FOOTERS[kind])(document, screen, now)
    elif document.items:
        yield from get_renderer(RENDERERS[kind])(document, screen, now)
    else:
        yield from _render_empty_answer(document)
    if document.coverage["sources"] or document.kind not in KINDS_WITHOUT_SOURCES:
        yield ""
        if full_coverage:
            yield from list_coverage_lines(document.coverage)
        else:
            yield format_coverage_line(document.coverage, screen)


def _describe_missing_log(document: Document) -> str:
    """Describe a missing log that the answer depends on; empty if none is missing."""
    source, said = _REQUIRED_LOGS.get(document.kind, ("", ""))
    return said if source in document.coverage["not_collected"] else ""


def _find_problem(document: Document) -> str:
    """Return the first problem of what was read; empty if all was read."""
    problems = [each["problems"] for each in document.coverage["sources"]]
    return next((line for lines in problems for line in lines), "")


def _find_removal(document: Document) -> str:
    """Return the first line on events that a policy removed; empty if there is none."""
    lines = document.coverage["not_collected"]
    words = REMOVALS.values()
    return next((line for line in lines if any(w in line for w in words)), "")


def _render_empty_answer(document: Document) -> Iterator[str]:
    """Render an empty answer, with the command that would fill it."""
    scanned = bool(document.coverage["sources"])
    what, fill = EMPTY_TEXTS.get(document.kind, ("", ""))
    if not what:
        what = f"no {document.kind} found" if scanned else f"no {document.kind} yet"
    lacking = document.coverage["not_collected"]
    if document.undecided:
        what, fill = "not known", sanitize(document.undecided)
    elif document.kind in _COUNTED_KINDS and lacking and not document.searched:
        what, fill = (
            f"{document.kind} not known",
            f"{describe_missing_data(document.coverage)} missing",
        )
    elif document.kind in _REQUIRED_LOGS and (unread := _find_problem(document)):
        what, fill = "not known", sanitize(unread)
    elif document.kind in _REQUIRED_LOGS and (removed := _find_removal(document)):
        what, fill = "not known", sanitize(removed)
    elif absent := _describe_missing_log(document):
        what, fill = "not known", absent
    elif document.searched:
        what = _EMPTY_FILTERED_TEXTS.get(document.kind, what)
        fill = sanitize(document.searched)
    elif document.next and scanned:
        fill = f"try {sanitize(document.next)}"
    elif not fill and not scanned and document.kind not in KINDS_WITHOUT_SOURCES:
        fill = _SCAN_HINT
    yield f"{what}: {fill}" if fill else what
