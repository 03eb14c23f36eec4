"""`ingest`, `sql`: store audit events, and query them."""

import click

from answerable.cli.engine import engine_option, use_engine
from answerable.cli.lake import LakeSession, lake_option
from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, WordChoice, pass_settings
from answerable.model.errors import UsageError
from answerable.model.time_units import SECOND_NS
from answerable.presentation.time_input import parse_span, parse_time

_MAX_QUERY_TIME = 24 * 3600 * SECOND_NS


@click.command(cls=AppCommand, short_help="Read audit logs into the sealed store.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE:PATH...")
@pass_settings
def ingest(settings: Settings, sources: tuple[str, ...]) -> None:
    """Read audit logs and seal them.

    SOURCE is cloudtrail, k8s-audit, github-audit, gcp-audit, azure-activity, entra,
    okta, anthropic-audit, openai-audit, bedrock, claude-code or otel (PATH is a file, a
    folder, read recursively, .gz and .zst too, or - for standard input) or gateway
    (PATH is its spool). Records that are read again are not stored twice. A record that
    cannot be parsed is quarantined and counted.
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


@click.command(cls=AppCommand, short_help="Query the store with a SELECT statement.")
@click.argument("query", default="")
@click.option(
    "--timeout", default="1m", metavar="SPAN", help="Time limit.  [default: 1m]"
)
@click.option(
    "--emit",
    default="",
    type=WordChoice(("duckdb", "trino", "athena", "spark")),
    help="Print the statements that create the views in another engine.",
)
@click.option(
    "--at",
    default="",
    metavar="PLACE",
    help="Folder or address of the segments for that engine, for --emit.",
)
@click.option(
    "--tables",
    default="",
    metavar="DIR",
    help="Folder for the tables that the views join, for --emit.",
)
@engine_option
@lake_option
@click.option(
    "--since",
    default="",
    metavar="TIME",
    help="Read the lake since this time, e.g. 7d or a date, for --lake.",
)
@pass_settings
def sql(
    settings: Settings,
    query: str,
    timeout: str,
    emit: str,
    at: str,
    tables: str,
    engine: str,
    lake: str,
    since: str,
) -> None:
    """Run one SELECT over the documented views of events and inventory.

    The views are events, lineage, decisions, agents, identities, credentials, owners.

    The query is read-only: only a single SELECT is accepted, and it cannot read files
    outside the store. It is stopped after a minute, or after --timeout.

    With --emit, prints the statements that create the same views in DuckDB, Trino,
    Athena or Spark over the Parquet files of the store. With --engine, a Spark cluster
    runs the query over the same files, in Spark's dialect.
    """
    from answerable.store.query_engine import QueryLimits
    from answerable.usecases.lineage import run_sql as flow

    if emit:
        _emit_views(settings, query, emit, at, tables)
        return
    if at or tables or not query:
        raise UsageError(
            "QUERY is missing" if not query else "--at and --tables require --emit",
            'answerable sql "SELECT * FROM lineage LIMIT 10"',
        )
    seconds = parse_span(timeout, "--timeout", _MAX_QUERY_TIME) / SECOND_NS
    if since and not lake:
        raise UsageError("--since requires --lake", "state the time in the query")
    with open_session(settings) as session:
        start = parse_time(since, session.now, "--since") if since else 0
        more = LakeSession(session, lake, since=start)
        with use_engine(session, engine) as other:
            if other is not None:
                other.check_select(query)  # before it is asked anything
            document = flow.run_sql_query(
                session.store,
                session.load_inventory(),
                query,
                now=session.now,
                limits=QueryLimits(seconds=seconds),
            )
    print_and_exit(more.describe(document), settings, note=more.note)


def _emit_views(
    settings: Settings, query: str, emit: str, at: str, tables: str
) -> None:
    """Print the statements that create the views, as a script unless a form is named."""
    from answerable.usecases.lineage.emit_sql_views import emit_sql_views
    from answerable.usecases.lineage.run_sql import list_inventory_tables

    if query:
        raise UsageError(
            "--emit takes no QUERY", "run the query in the engine that has the views"
        )
    with open_session(settings) as session:
        inventory = session.load_inventory()
        document = emit_sql_views(
            session.store,
            inventory,
            list_inventory_tables(inventory),
            emit,
            at=at,
            tables=tables,
            now=session.now,
        )
    if settings.output != "table":
        print_and_exit(document, settings)
    for item in document.items:
        click.echo(f"{item['statement']};")
