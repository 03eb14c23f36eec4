"""Command tree, in the order of the help page."""

import click

from answerable.cli.commands.asks import asks
from answerable.cli.commands.baseline import baseline
from answerable.cli.commands.break_glass import break_glass
from answerable.cli.commands.decisions import decision
from answerable.cli.commands.evidence import evidence
from answerable.cli.commands.gateway import gateway
from answerable.cli.commands.hook import hook
from answerable.cli.commands.kills import kill, revive
from answerable.cli.commands.lists import LISTS
from answerable.cli.commands.login import login, logout
from answerable.cli.commands.machine import completion, demo, doctor
from answerable.cli.commands.owner_keys import owner_keys
from answerable.cli.commands.owners import attest, who_owns
from answerable.cli.commands.reach import can, reach, who_can
from answerable.cli.commands.requests import requests
from answerable.cli.commands.run import run
from answerable.cli.commands.scan import scan, where
from answerable.cli.commands.serve import serve
from answerable.cli.commands.sign_ins import sign_ins
from answerable.cli.commands.sts import sts
from answerable.cli.commands.tools import tools
from answerable.cli.commands.trail import ingest, sql, trace
from answerable.cli.commands.what_if import what_if
from answerable.cli.settings import Settings, Verbs

OVERVIEW = """\
answerable: who owns the identities AI agents act through, what they can reach,
and who answers for each action.

  person -> agent -> tool -> identity -> action -> resource

Try:
  answerable demo      the whole chain on sample data, nothing outside needed
  answerable scan      this home and this folder: agents, tools, credentials
  answerable --help    every command
"""


class _App(Verbs):
    sections = (
        (
            "Who and what exists",
            ("scan", "where", *(each.name or "" for each in LISTS), "tools"),
        ),
        (
            "Who answers for it",
            ("who-owns", "attest", "owner-keys", "asks", "break-glass"),
        ),
        ("What it can reach", ("reach", "can", "who-can", "what-if")),
        ("What it did", ("ingest", "trace", "decision", "sql", "evidence")),
        (
            "What it may do",
            (
                *("baseline", "requests", "run", "kill", "revive"),
                *("serve", "gateway", "hook"),
                *("sts", "login", "logout", "sign-ins"),
            ),
        ),
        ("This tool", ("demo", "doctor", "completion")),
    )


@click.group(
    "answerable",
    cls=_App,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.pass_context
def app(ctx: click.Context) -> None:
    """Govern the identities that AI agents act through.

    Which person, through which agent, with which tool, as which identity, took which
    action on which resource, and how is each link known?
    """
    ctx.ensure_object(Settings)
    if ctx.invoked_subcommand is None:
        click.echo(OVERVIEW, nl=False)


for command in (
    *(
        scan,
        where,
        *LISTS,
        tools,
        who_owns,
        attest,
        owner_keys,
        asks,
        break_glass,
        reach,
        can,
        who_can,
        what_if,
    ),
    *(ingest, trace, decision, sql, evidence, baseline, requests),
    *(run, kill, revive, serve, gateway, hook, sts, login, logout, sign_ins),
    *(demo, doctor, completion),
):
    app.add_command(command)
