"""`tools`: list agents' tools, and approve the definitions that servers declare."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from answerable.cli.commands.lists import OWNER_STATES
from answerable.cli.commands.serve import find_state_folder, read_gateway_plan
from answerable.cli.output import print_and_exit
from answerable.cli.session import open_session
from answerable.cli.settings import (
    AppCommand,
    AppGroup,
    Settings,
    WordChoice,
    pass_settings,
)
from answerable.cli.signing import add_key_options, load_signer, require_human
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.authorization.pins.pin_comparison import ApprovalSelection
    from answerable.gateway.serve.serve_plan import ServePlan
    from answerable.model.definition_pin import ServerPins
    from answerable.server.pins.pin_files import PinFiles


class _ToolsGroup(AppGroup):
    sections = (("Commands", ("diff", "approve")),)


@click.group(
    "tools",
    cls=_ToolsGroup,
    invoke_without_command=True,
    short_help="List agent tools and the credentials they use.",
)
@click.option(
    "--owner-state",
    default="",
    type=WordChoice(OWNER_STATES),
    help="Only tools with this ownership state.",
)
@click.option("--kind", default="", metavar="KIND", help="Only tools of this kind.")
@pass_settings
@click.pass_context
def tools(
    context: click.Context, settings: Settings, owner_state: str, kind: str
) -> None:
    """List the tools found, each with its agent and the credential it uses.

    The subcommands compare the tools that servers behind the gateway declare with the
    approved ones.
    """
    if context.invoked_subcommand is not None:
        return
    from answerable.usecases.inventory import inventory_listing

    with open_session(settings) as session:
        document = inventory_listing.list_tools(
            session.load_inventory(),
            now=session.now,
            owner_state=owner_state,
            kind=kind,
        )
    print_and_exit(document, settings)


@tools.command(cls=AppCommand, short_help="Show differences from approved definitions.")
@click.argument("server", default="")
@click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Configuration file, if the gateway's state is outside the store.",
)
@click.option(
    "--all", "include_unchanged", is_flag=True, help="Also show unchanged definitions."
)
@pass_settings
def diff(settings: Settings, server: str, config: str, include_unchanged: bool) -> None:
    """Show definitions of servers behind the gateway that are not approved.

    Lists new, changed and shadowing tools, prompts, resource templates and
    instructions, with each field as pinned and as seen; servers whose identity changed;
    and names that are easily confused. SERVER restricts the list to one server.
    """
    from answerable.server.pins.pin_files import PinFiles
    from answerable.usecases.authorization import tool_pins

    files = PinFiles(find_state_folder(settings, config))
    known = {name: files.read_pins(name) for name in files.list_servers()}
    if server and server not in known:
        raise _build_unknown_error(server, known)
    with open_session(settings) as session:
        words = tool_pins.read_signed_approvals(session.store, session.now)
    shown = [server] if server else known
    print_and_exit(
        tool_pins.show_definition_differences(
            known, shown, words, include_unchanged=include_unchanged
        ),
        settings,
    )


@tools.command(cls=AppCommand, short_help="Approve the tool definitions of a server.")
@click.argument("server")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--config",
    metavar="FILE",
    required=True,
    help="Configuration file (answerable.yaml).",
)
@add_key_options
@click.option(
    "--as-pinned",
    is_flag=True,
    help="Approve the pinned definitions and drop newer definitions.",
)
@pass_settings
def approve(
    settings: Settings,
    server: str,
    names: tuple[str, ...],
    config: str,
    key: str,
    passphrase_file: str,
    as_pinned: bool,
) -> None:
    """Approve the current tools, prompts and identity of SERVER.

    NAME approves one tool or prompt; without it, all pending definitions and the
    identity of the server are approved. The definitions to sign are shown first, with
    each policy of FILE that their new arguments would invalidate. The approval takes
    effect within a second and is recorded in the log. Owners of agents that use the
    server may approve; an agent may not.
    """
    import time

    from answerable.authorization.pins.pin_comparison import (
        apply_approval,
        is_selection_current,
    )
    from answerable.model.definition_pin import DefinitionApproval, ServerPins
    from answerable.server.pins.pin_files import PinFiles
    from answerable.usecases.authorization import tool_pins

    require_human(settings)
    plan = read_gateway_plan(settings, config)
    files = PinFiles(plan.state)
    chosen = _select_definitions(files, server, names, as_pinned=as_pinned)
    _show_differences(files.read_pins(server), server, chosen, settings)
    _warn_about_policies(plan, server, chosen, settings)
    settings.store = settings.store or str(plan.store)
    with open_session(settings, writes=True) as session:
        signer = load_signer(key, passphrase_file)
        said: list[DefinitionApproval] = []

        def approve_now(known: ServerPins) -> ServerPins | None:
            """Record the approval, then pin it, under the lock of the pin file."""
            if not is_selection_current(known, chosen):
                return None
            word = tool_pins.approve_definitions(
                session.store,
                session.load_inventory(),
                server,
                chosen,
                signer,
                approvers=tool_pins.list_approvers(plan.config, server),
                now=time.time_ns(),
            )
            said.append(word)
            return apply_approval(known, chosen, word)

        if files.change_pins(server, approve_now) is None:
            raise UsageError(
                f"the definitions of {server} changed after they were shown",
                "review the definitions again: answerable tools diff",
            )
    print_and_exit(tool_pins.describe_approval(server, chosen, said[0]), settings)


def _select_definitions(
    files: "PinFiles", server: str, names: tuple[str, ...], *, as_pinned: bool
) -> "ApprovalSelection":
    """Select the tool definitions of a server that a person approves.

    Raises:
        UsageError: The server or item does not exist, or nothing of it waits.
    """
    from answerable.authorization.pins.pin_comparison import select_items_for_approval

    if server not in files.list_servers():
        raise _build_unknown_error(server, files.list_servers())
    known = files.read_pins(server)
    chosen = select_items_for_approval(known, names, as_pinned=as_pinned)
    found = {each.name for each in chosen.items} | {each.key for each in chosen.items}
    missing = [name for name in names if name not in found]
    if missing:
        raise UsageError(
            f"{server} has no tool or prompt of that name (got {missing[0][:80]!r})",
            f"list the tools and prompts: answerable tools diff {server} --all",
        )
    return chosen


def _show_differences(
    pins: "ServerPins", server: str, selection: "ApprovalSelection", settings: Settings
) -> None:
    """Show what would be signed, before the signature."""
    from answerable.presentation.text import sanitize
    from answerable.usecases.authorization.tool_pins import (
        build_approval_claims,
        compare_definitions,
    )

    if settings.quiet:
        return
    lines = [
        f"approve {name} {digest}"
        for name, digest in build_approval_claims(server, selection)
    ]
    for each in selection.items:
        pin = pins.items.get(each.key)
        for found in compare_definitions(None if pin is None else pin.definition, each):
            before, after = found["pinned"], found["seen"]
            lines.append(f"{each.key} {found['field']}")
            lines += [] if before is None else [f"  - {before}"]
            lines += [] if after is None else [f"  + {after}"]
    for line in lines:
        click.echo(sanitize(line), err=True)


def _warn_about_policies(
    plan: "ServePlan", server: str, selection: "ApprovalSelection", settings: Settings
) -> None:
    """Warn about policies that the approval would make faulty, before the signature."""
    from answerable.connectors.config.parse.config_faults import format_faults
    from answerable.presentation.text import sanitize
    from answerable.server.policy_loading import find_approval_faults

    if settings.quiet:
        return
    faults = find_approval_faults(plan.reading, plan.state, server, selection.items)
    if not faults:
        return
    click.echo(
        "warning: after this approval, the next reload is refused and the next "
        "start denies all calls, until these policies are changed:",
        err=True,
    )
    for line in format_faults(plan.config.place, faults):
        click.echo(sanitize(line), err=True)


def _build_unknown_error(server: str, servers: Iterable[str]) -> UsageError:
    """Build the error for a server without pins, with the names of pinned servers."""
    names = ", ".join(servers)
    return UsageError(
        f"no definitions are pinned for this server (got {server[:80]!r})",
        f"servers with pinned definitions: {names}"
        if names
        else "no server has pinned definitions yet",
    )
