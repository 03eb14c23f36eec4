"""`ingest`, `trace`, `sql`: store audit events, and query their lineage."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import StoreSession, open_session
from answerable.cli.settings import AppCommand, Settings, WordChoice, pass_settings
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.event import EventOutcome
from answerable.model.time_units import SECOND_NS
from answerable.presentation.time_input import parse_span, parse_time, parse_window

if TYPE_CHECKING:
    from answerable.services.lineage.trace_rows import TraceQuery

_ALL_SOURCES = "*"  # of --score without a source
_MAX_QUERY_TIME = 24 * 3600 * SECOND_NS


@click.command(cls=AppCommand, short_help="Read audit logs into the sealed store.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE:PATH...")
@pass_settings
def ingest(settings: Settings, sources: tuple[str, ...]) -> None:
    """Read audit logs and seal them.

    SOURCE is cloudtrail, k8s-audit, github-audit, gcp-audit, azure-activity, entra,
    okta, anthropic-audit, openai-audit, bedrock, claude-code or otel (PATH is a file,
    a folder, read recursively, .gz and .zst too, or - for standard input) or gateway
    (PATH is its spool). Records that are read again are not stored twice. An unreadable record is
    quarantined and counted.
    """
    from answerable.usecases.evidence import ingest_logs

    with (
        open_session(settings, create=True) as session,
        progress_bar(settings) as progress,
    ):
        document = ingest_logs.ingest_logs(
            session.store, sources, now=session.now, progress=progress
        )
    print_and_exit(document, settings)


@click.command(cls=AppCommand, short_help="Show the chain behind each event.")
@click.option(
    "--person", default="", metavar="PERSON", help="Only events of this person."
)
@click.option("--agent", default="", metavar="AGENT", help="Only events of this agent.")
@click.option(
    "--tool", default="", metavar="TOOL", help="Only events through this tool."
)
@click.option(
    "--identity",
    default="",
    metavar="ID",
    help="Only events by this identity or about it.",
)
@click.option(
    "--credential", default="", metavar="ID", help="Only events with this credential."
)
@click.option(
    "--action", default="", metavar="GLOB", help="Only actions that match this pattern."
)
@click.option(
    "--resource",
    default="",
    metavar="RESOURCE",
    help="Only resources that match this pattern, an ARN or s3:// URI.",
)
@click.option(
    "--outcome",
    default="",
    type=WordChoice([each.value for each in EventOutcome]),
    help="Only events with this outcome.",
)
@click.option(
    "--since",
    default="",
    metavar="TIME",
    help="Only events since this time, e.g. 7d or a date.",
)
@click.option(
    "--until", default="", metavar="TIME", help="Only events until this time."
)
@click.option(
    "--limit", default=1000, show_default=True, help="Maximum number of rows."
)
@click.option(
    "--by",
    default="",
    metavar="FIELD,...",
    help="Count events by person, agent, tool, identity, action, resource, outcome, "
    "source or day; chain is the first four.",
)
@click.option(
    "--first-seen",
    is_flag=True,
    help="Only actions, resources and identities that had not occurred before --since.",
)
@click.option(
    "--compare",
    default="",
    metavar="A..B",
    help="Compare the counts with the earlier time from A to B.",
)
@click.option("--tree", is_flag=True, help="Show the chains as a tree of six columns.")
@click.option(
    "--score",
    is_flag=False,
    flag_value=_ALL_SOURCES,
    default="",
    metavar="[SOURCE]",
    help="Show the hops that each source can supply; SOURCE is a log in the store, or "
    "NAME:PATH of an export that is read and not stored.",
)
@click.option(
    "--unmediated", is_flag=True, help="Only events that bypassed the gateway."
)
@pass_settings
def trace(
    settings: Settings,
    person: str,
    agent: str,
    tool: str,
    identity: str,
    credential: str,
    action: str,
    resource: str,
    outcome: str,
    since: str,
    until: str,
    limit: int,
    by: str,
    first_seen: bool,
    compare: str,
    tree: bool,
    score: str,
    unmediated: bool,
) -> None:
    """Show the chain of each event: person, agent, tool, identity, action, resource.

    Each hop has a status: observed, declared, inferred, or missing with the source that
    would supply it.
    """
    from answerable.services.lineage import trace_rows as flow

    view = TraceView(by, first_seen, compare, score, unmediated, tree)
    _check_one_view(view)
    with open_session(settings) as session:
        question = flow.TraceQuery(
            person=person,
            agent=agent,
            tool=tool,
            identity=identity,
            credential=credential,
            action=action,
            resource=resource,
            outcome=outcome,
            since=parse_time(since, session.now, "--since") if since else 0,
            until=parse_time(until, session.now, "--until") if until else 0,
            limit=limit,
        )
        document = _answer_trace(session, question, view)
    if tree and document.next:
        document = replace(document, next=f"{document.next} --tree")
    print_and_exit(document, settings, view="tree" if tree else "")


@dataclass(frozen=True, slots=True)
class TraceView:
    """Form in which `trace` answers; rows if none is set.

    Attributes:
        by: Fields to count by.
        first_seen: Only values that had not occurred before.
        compare: Earlier window, `A..B`.
        score: Source whose hops are counted, `*` for all.
        unmediated: Only events that bypassed the gateway.
        tree: Rows drawn as a tree.
    """

    by: str
    first_seen: bool
    compare: str
    score: str
    unmediated: bool
    tree: bool


def _answer_trace(
    session: StoreSession, question: "TraceQuery", view: TraceView
) -> Document:
    """Answer a trace query in the requested form."""
    from answerable.usecases.lineage import compare_windows as windows
    from answerable.usecases.lineage import count_events as counts
    from answerable.usecases.lineage import find_gateway_bypasses as past
    from answerable.usecases.lineage import score_sources as scores
    from answerable.usecases.lineage import trace

    store, now = session.store, session.now
    if view.first_seen or view.compare:
        earlier = parse_window(view.compare, now) if view.compare else None
        if view.first_seen or earlier is None:
            return windows.list_first_seen(store, question, view.by, earlier, now=now)
        return windows.compare_windows(store, question, view.by, earlier, now=now)
    if view.by:
        return counts.count_by_fields(store, question, view.by, now=now)
    if view.score:
        source = "" if view.score == _ALL_SOURCES else view.score
        return scores.count_hop_coverage(store, source, now=now)
    if view.unmediated:
        return past.find_bypassing_events(store, question, now=now)
    return trace.trace_events(store, question, now=now)


def _check_one_view(view: TraceView) -> None:
    """Refuse options of `trace` that exclude each other."""
    if view.score and view.unmediated:
        raise UsageError("--score cannot be combined with --unmediated", "ask one")
    rows = view.score or view.unmediated or view.tree
    for option, given in (
        ("--by", view.by),
        ("--first-seen", view.first_seen),
        ("--compare", view.compare),
    ):
        if given and rows:
            raise UsageError(
                f"{option} cannot be combined with --score, --unmediated or --tree",
                "use one of them",
            )


@click.command(cls=AppCommand, short_help="Query the store with a SELECT statement.")
@click.argument("query")
@click.option(
    "--timeout", default="1m", metavar="SPAN", help="Time limit.  [default: 1m]"
)
@pass_settings
def sql(settings: Settings, query: str, timeout: str) -> None:
    """Run one SELECT over the views lineage, agents, identities, credentials, owners.

    Read-only: anything but a single SELECT is refused, and no file outside the store
    can be read. It is stopped after a minute, or after --timeout.
    """
    from answerable.store.query_engine import QueryLimits
    from answerable.usecases.lineage import run_sql as flow

    seconds = parse_span(timeout, "--timeout", _MAX_QUERY_TIME) / SECOND_NS
    with open_session(settings) as session:
        document = flow.run_sql_query(
            session.store,
            session.load_inventory(),
            query,
            now=session.now,
            limits=QueryLimits(seconds=seconds),
        )
    print_and_exit(document, settings)
