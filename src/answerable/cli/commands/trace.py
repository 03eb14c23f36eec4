"""`trace`: the lineage of events, counts, comparisons, scores and saved queries."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from answerable.cli.engine import engine_option, use_engine
from answerable.cli.lake import LakeSession, lake_option
from answerable.cli.login_name import get_login_name
from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import StoreSession, open_session
from answerable.cli.settings import AppCommand, Settings, WordChoice, pass_settings
from answerable.lineage.search_query import SearchQuery, parse_search_query
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.event import EventOutcome
from answerable.presentation.time_input import parse_window

if TYPE_CHECKING:
    from answerable.services.lineage.trace_rows import TraceQuery

_ALL = "*"  # of --score without a source, and of --saved without a name


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
    help="Only events by or about this identity.",
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
    help="Count events by person, agent, tool, identity, credential, action, resource, "
    "outcome, source or day; chain is the first four.",
)
@click.option(
    "--first-seen",
    is_flag=True,
    help="List only actions, resources and identities that did not occur before "
    "--since.",
)
@click.option(
    "--compare",
    default="",
    metavar="A..B",
    help="Compare the counts with the earlier time from A to B.",
)
@click.option(
    "--query",
    default="",
    metavar="TEXT",
    help="Filter in the search language of the web page: source:okta status:missing",
)
@click.option(
    "--save", default="", metavar="NAME", help="Save this query for all users."
)
@click.option(
    "--saved",
    is_flag=False,
    flag_value=_ALL,
    default="",
    metavar="[NAME]",
    help="Use a saved query; without NAME, list the saved queries.",
)
@click.option(
    "--delete-saved", default="", metavar="NAME", help="Delete a saved query."
)
@click.option("--tree", is_flag=True, help="Show the chains as a tree of six columns.")
@click.option(
    "--score",
    is_flag=False,
    flag_value=_ALL,
    default="",
    metavar="[SOURCE]",
    help="Show the hops that each source can supply; SOURCE is a log in the store, or "
    "NAME:PATH of an export that is read and not stored.",
)
@click.option(
    "--unmediated", is_flag=True, help="Only events that bypassed the gateway."
)
@engine_option
@lake_option
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
    query: str,
    save: str,
    saved: str,
    delete_saved: str,
    tree: bool,
    score: str,
    unmediated: bool,
    engine: str,
    lake: str,
) -> None:
    """Show the chain of each event: person, agent, tool, identity, action, resource.

    Each hop has a status: observed, declared, inferred, or missing with the source that
    would supply it.
    """
    view = TraceView(by, first_seen, compare, score, unmediated, tree)
    _check_one_view(view)
    given = SearchQuery()
    for field, value in (
        ("person", person),
        ("agent", agent),
        ("tool", tool),
        ("identity", identity),
        ("credential", credential),
        ("action", action),
        ("resource", resource),
        ("outcome", outcome),
        ("since", since),
        ("until", until),
    ):
        given = given.with_field(field, value)
    names = _SavedNames(save, saved, delete_saved)
    with (
        open_session(settings, writes=bool(save or delete_saved)) as session,
        progress_bar(settings) as session.progress,
    ):
        more = _read_lake(session, lake, given, view)
        if delete_saved or saved == _ALL:
            document = _list_saved_queries(session, delete_saved)
        else:
            with use_engine(session, engine):
                document = _run_query(session, query, given, names, view, limit)
    if tree and document.next:
        document = replace(document, next=f"{document.next} --tree")
    print_and_exit(
        more.describe(document), settings, view="tree" if tree else "", note=more.note
    )


def _read_lake(
    session: StoreSession, lake: str, given: SearchQuery, view: "TraceView"
) -> LakeSession:
    """Read the lake of `--lake` for the time of the question."""
    from answerable.services.lineage.trace_query import build_trace_query

    question = build_trace_query(given, session.now, 1)
    earlier = view.first_seen or view.compare  # looks before --since, too
    return LakeSession(
        session, lake, since=0 if earlier else question.since, until=question.until
    )


@dataclass(frozen=True, slots=True)
class _SavedNames:
    """Names of saved queries: to write, to use, to delete."""

    save: str
    saved: str
    delete: str


def _list_saved_queries(session: StoreSession, delete: str) -> Document:
    """List the saved queries, after one was deleted if it is named."""
    from answerable.services.lineage.saved_queries import delete_saved_query
    from answerable.usecases.lineage.list_saved_queries import show_saved_queries

    if delete:
        delete_saved_query(session.store, delete, get_login_name(), session.now)
    return show_saved_queries(session.store)


def _run_query(
    session: StoreSession,
    text: str,
    given: SearchQuery,
    names: _SavedNames,
    view: "TraceView",
    limit: int,
) -> Document:
    """Answer a query: a saved one, with the fields of `--query` and the options."""
    asked = parse_search_query(text)
    if names.saved:
        from answerable.services.lineage.saved_queries import (
            find_saved_query,
            merge_queries,
        )

        found = find_saved_query(session.store, names.saved)
        asked = merge_queries(parse_search_query(found.query), asked)
        rows = view.score or view.unmediated or view.tree
        if found.by and not (view.by or rows):
            view = replace(view, by=found.by)
    for field, value in given.said:
        asked = asked.with_field(field, value)
    from answerable.services.lineage.trace_query import build_trace_query

    question = build_trace_query(asked, session.now, limit)
    document = _answer_trace(session, question, view)
    if names.save:
        from answerable.services.lineage.saved_queries import QueryDraft, save_query

        draft = QueryDraft(names.save, asked, view.by)
        save_query(session.store, draft, get_login_name(), session.now)
    return document


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
    store, now, progress = session.store, session.now, session.progress
    if view.first_seen or view.compare:
        from answerable.usecases.lineage import compare_windows as windows

        earlier = parse_window(view.compare, now) if view.compare else None
        if view.first_seen or earlier is None:
            return windows.list_first_seen(store, question, view.by, earlier, now=now)
        return windows.compare_windows(store, question, view.by, earlier, now=now)
    if view.by:
        from answerable.usecases.lineage import count_events as counts

        return counts.count_by_fields(
            store, question, view.by, now=now, progress=progress
        )
    if view.score:
        # It imports every connector, to read an export.
        from answerable.usecases.lineage import score_sources as scores

        source = "" if view.score == _ALL else view.score
        return scores.count_hop_coverage(store, source, now=now)
    if view.unmediated:
        if question.source or question.run or question.status or question.words:
            raise UsageError(
                "--unmediated takes no source, run, status or word of a query",
                "use the options of trace, such as --agent and --identity",
            )
        from answerable.usecases.lineage import find_gateway_bypasses as past

        return past.find_bypassing_events(store, question, now=now)
    from answerable.usecases.lineage import trace

    return trace.trace_events(store, question, now=now, progress=progress)


def _check_one_view(view: TraceView) -> None:
    """Refuse options of `trace` that exclude each other."""
    if view.score and view.unmediated:
        raise UsageError(
            "--score cannot be combined with --unmediated", "use one of them"
        )
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
