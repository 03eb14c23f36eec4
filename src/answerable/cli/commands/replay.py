"""`replay`: standing, timed and baseline-held access, compared on a log."""

import click

from answerable.cli.output import print_and_exit
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, pass_settings
from answerable.model.errors import UsageError

_MAX_LIFETIME = 7 * 86_400 * 10**9  # nanoseconds


@click.command(cls=AppCommand, short_help="Compare kinds of access on a log.")
@click.option(
    "--timed",
    "lifetimes",
    metavar="SPAN",
    multiple=True,
    help="Lifetime of timed access, instead of 1 minute to 8 hours; may be repeated.",
)
@click.option(
    "--indicator",
    "indicators",
    metavar="ACTION[=RESOURCE]",
    multiple=True,
    help="Pattern of a harmful call, with * and ?; may be repeated.",
)
@click.option(
    "--learn-until",
    metavar="TIME",
    default="",
    help="End of the time from which baselines are learned.  [default: the middle of "
    "the log]",
)
@click.option("--since", metavar="TIME", default="", help="Only calls since this time.")
@click.option("--until", metavar="TIME", default="", help="Only calls until this time.")
@click.option(
    "--svg", metavar="FILE", default=None, help="Also draw the curve to FILE."
)
@pass_settings
def replay(
    settings: Settings,
    lifetimes: tuple[str, ...],
    indicators: tuple[str, ...],
    learn_until: str,
    since: str,
    until: str,
    svg: str | None,
) -> None:
    """Compare the recorded calls that three kinds of access would have allowed.

    Standing access allows every call. Timed access ends after T and is granted again on
    request: it allows the same calls, some of them after a request. A baseline, learned
    from the earlier part of the log, allows only learned calls.
    """
    from answerable.cli.output_file import check_output_file, write_output_file
    from answerable.presentation.time_input import parse_span, parse_time
    from answerable.usecases.baseline.replay_access import (
        ReplayQuery,
        replay_access,
    )

    if svg is not None:
        check_output_file(svg)
    spans = tuple(
        parse_span(each, "--timed", _MAX_LIFETIME) // 10**9 for each in lifetimes
    )
    with open_session(settings) as session:
        now = session.now
        query = ReplayQuery(
            since=parse_time(since, now, "--since") if since else 0,
            until=parse_time(until, now, "--until") if until else 1 << 62,
            learn_until=(
                parse_time(learn_until, now, "--learn-until") if learn_until else None
            ),
            lifetimes=spans,
            indicators=indicators,
        )
        if since and until and query.since >= query.until:
            raise UsageError(
                f"--until is not after --since (got {until} and {since})",
                "name an earlier --since, or a later --until",
            )
        document = replay_access(session.store, query)
    if svg is not None:
        from answerable.web.svg.access_curve import draw_access_curve

        write_output_file(svg, draw_access_curve(document.items).text + "\n")
    print_and_exit(document, settings)
