"""Build the `answerable` command tree, with its commands imported on first use."""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from types import MappingProxyType

import click

from answerable.cli.settings import AppGroup, Settings

OVERVIEW = """\
answerable: who owns the identities AI agents act through, what they can reach,
and who answers for each action.

  person -> agent -> tool -> identity -> action -> resource

Try:
  answerable demo      the whole chain on sample data, without network access
  answerable scan      agents, tools and credentials in this home and folder
  answerable --help    every command
"""

# Module of each command, imported when the command is used: starting imports one.
# A command is the attribute of its own name, with _ for -.
_MODULES = {
    "scan": "answerable.cli.commands.scan",
    "where": "answerable.cli.commands.scan",
    "agents": "answerable.cli.commands.lists",
    "identities": "answerable.cli.commands.lists",
    "credentials": "answerable.cli.commands.lists",
    "people": "answerable.cli.commands.lists",
    "tools": "answerable.cli.commands.tools",
    "show": "answerable.cli.commands.show",
    "who-owns": "answerable.cli.commands.owners",
    "attest": "answerable.cli.commands.owners",
    "owner-keys": "answerable.cli.commands.owner_keys",
    "asks": "answerable.cli.commands.asks",
    "break-glass": "answerable.cli.commands.break_glass",
    "reach": "answerable.cli.commands.reach",
    "can": "answerable.cli.commands.reach",
    "who-can": "answerable.cli.commands.reach",
    "what-if": "answerable.cli.commands.what_if",
    "least-privilege": "answerable.cli.commands.least_privilege",
    "plan": "answerable.cli.commands.plan",
    "findings": "answerable.cli.commands.findings",
    "diff": "answerable.cli.commands.diff",
    "report": "answerable.cli.commands.report",
    "export": "answerable.cli.commands.report",
    "ingest": "answerable.cli.commands.trail",
    "trace": "answerable.cli.commands.trace",
    "decision": "answerable.cli.commands.decisions",
    "sql": "answerable.cli.commands.trail",
    "replay": "answerable.cli.commands.replay",
    "evidence": "answerable.cli.commands.evidence",
    "store": "answerable.cli.commands.store",
    "case": "answerable.cli.commands.case",
    "baseline": "answerable.cli.commands.baseline",
    "requests": "answerable.cli.commands.requests",
    "run": "answerable.cli.commands.run",
    "aws": "answerable.cli.commands.aws",
    "kubectl-credential": "answerable.cli.commands.platform_credentials",
    "git-credential": "answerable.cli.commands.platform_credentials",
    "credential-policies": "answerable.cli.commands.credential_policies",
    "kill": "answerable.cli.commands.kills",
    "revive": "answerable.cli.commands.kills",
    "serve": "answerable.cli.commands.serve",
    "gateway": "answerable.cli.commands.gateway",
    "hook": "answerable.cli.commands.hook",
    "protect": "answerable.cli.commands.protect",
    "unprotect": "answerable.cli.commands.protect",
    "tighten": "answerable.cli.commands.tighten",
    "loosen": "answerable.cli.commands.tighten",
    "token-service": "answerable.cli.commands.token_service",
    "login": "answerable.cli.commands.login",
    "logout": "answerable.cli.commands.login",
    "sign-ins": "answerable.cli.commands.sign_ins",
    "backup": "answerable.cli.commands.operation",
    "restore": "answerable.cli.commands.operation",
    "health": "answerable.cli.commands.operation",
    "demo": "answerable.cli.commands.machine",
    "doctor": "answerable.cli.commands.machine",
    "completion": "answerable.cli.commands.machine",
}


class LazyCommands(MutableMapping[str, click.Command]):
    """Commands by name, each imported when it is first looked up."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        """Take the module of each command."""
        self._modules = dict(modules)
        self._imported: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        """Import a command."""
        if name not in self._imported:
            module = import_module(self._modules[name])
            command: click.Command = getattr(module, name.replace("-", "_"))
            self._imported[name] = command
        return self._imported[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        """Add a command that is imported already."""
        self._modules[name] = ""
        self._imported[name] = command

    def __delitem__(self, name: str) -> None:
        """Remove a command."""
        del self._modules[name]
        self._imported.pop(name, None)

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a command, without importing it."""
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._modules)

    def __len__(self) -> int:
        """Count the commands."""
        return len(self._modules)


class _RootGroup(AppGroup):
    aliases = MappingProxyType({"sts": "token-service"})
    sections = (
        (
            "Inventory",
            (
                "scan",
                "where",
                "agents",
                "identities",
                "credentials",
                "people",
                "tools",
                "show",
            ),
        ),
        (
            "Ownership and approval",
            ("who-owns", "attest", "owner-keys", "asks", "break-glass"),
        ),
        ("Reach", ("reach", "can", "who-can", "what-if", "least-privilege")),
        ("Findings", ("findings", "plan", "diff", "report", "export")),
        (
            "Events and evidence",
            (
                "ingest",
                "trace",
                "case",
                "decision",
                "sql",
                "replay",
                "evidence",
                "store",
            ),
        ),
        (
            "Enforcement",
            (
                "baseline",
                "requests",
                "run",
                "aws",
                "kubectl-credential",
                "git-credential",
                "credential-policies",
                "kill",
                "revive",
                "serve",
                "gateway",
                "hook",
                "protect",
                "unprotect",
                "tighten",
                "loosen",
                "token-service",
                "login",
                "logout",
                "sign-ins",
            ),
        ),
        ("Operation", ("backup", "restore", "health", "doctor")),
        ("This tool", ("demo", "completion")),
    )


@click.group(
    "answerable",
    cls=_RootGroup,
    commands=LazyCommands(_MODULES),
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
