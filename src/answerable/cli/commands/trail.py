"""`ingest`, `sql`: store audit events, and query them."""

import click

from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, pass_settings
from answerable.model.time_units import SECOND_NS
from answerable.presentation.time_input import parse_span

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
