"""`protect` and `unprotect`: put the servers of this home's clients behind the gateway."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerable.cli.settings import (
    AppCommand,
    Settings,
    WordChoice,
    find_home,
    pass_settings,
)
from answerable.model.errors import UsageError
from answerable.presentation.text import sanitize

if TYPE_CHECKING:
    from answerable.services.protection.protection_plan import ProtectionPlan

MODES = ("observe", "shadow", "enforce")
_CONFIG = click.option(
    "--config", metavar="FILE", default="", help="The answerable.yaml to write."
)


@click.command(cls=AppCommand, short_help="Put clients' servers behind the gateway.")
@click.argument("clients", nargs=-1, metavar="[CLIENT]...")
@_CONFIG
@click.option("--mode", type=WordChoice(MODES), default="observe", help="Their mode.")
@click.option("--owner", metavar="MAIL", default="", help="Owner of the agents.")
@click.option("--dry-run", is_flag=True, help="Show the changes, and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
@pass_settings
def protect(
    settings: Settings,
    clients: tuple[str, ...],
    config: str,
    mode: str,
    owner: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Rewrite the files of CLIENT (all by default), so that the gateway sees each call.

    Each server entry starts `answerable gateway stdio`; literal secrets move to files of
    mode 0600 that the gateway reads; clients with a hook get it. Originals are kept, and
    `unprotect` restores them.
    """
    from answerable.services.protection.protection_plan import ProtectionRequest
    from answerable.usecases.protection.apply import apply_plan, recover
    from answerable.usecases.protection.plan import build_protection_plan

    home, path = find_home(), _find_config(config)
    recover(path.parent)
    plan = build_protection_plan(
        ProtectionRequest(
            owner=owner or _find_owner(home),
            home=home,
            folder=Path.cwd(),
            clients=clients,
            mode=mode,
            config_path=path,
            gateway_command=_find_gateway_command(),
            store=Path(settings.store).absolute() if settings.store else None,
        )
    )
    _print_plan(plan)
    if dry_run or not plan.changes:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nothing was written", "confirm with --yes")
        click.confirm("Write these changes?", abort=True, err=True)
    applied = apply_plan(plan, path.parent)
    click.echo(f"{len(applied.written)} files written")
    for left in applied.left:
        click.echo(f"left alone, it changed meanwhile: {sanitize(str(left))}", err=True)


@click.command(cls=AppCommand, short_help="Restore the files that protect changed.")
@click.argument("clients", nargs=-1, metavar="[CLIENT]...")
@_CONFIG
def unprotect(clients: tuple[str, ...], config: str) -> None:
    """Restore the files of CLIENT (all by default) as they were before `protect`.

    Edits that a client made in between are kept; a file that cannot be restored is named.
    """
    from answerable.services.protection.protection_plan import UndoOutcome
    from answerable.usecases.protection.apply import undo

    results = undo(_find_config(config).parent, clients)
    for each in results:
        detail = f" ({each.detail})" if each.detail else ""
        click.echo(f"{each.outcome} {sanitize(str(each.path))}{detail}")
    if not results:
        click.echo("nothing is protected", err=True)
    kept = any(each.outcome is UndoOutcome.KEPT for each in results)
    click.get_current_context().exit(1 if kept else 0)


def _print_plan(plan: "ProtectionPlan") -> None:
    """Print the changes in words, without a value of any file."""
    for change in plan.changes:
        click.echo(sanitize(str(change.path)) + ("" if change.exists else " (new)"))
        for what in change.what:
            click.echo(f"  {sanitize(what)}")
    for refusal in plan.refused:
        server = f" {refusal.server}" if refusal.server else ""
        line = f"stays as it is: {refusal.path}{server}: {refusal.reason}"
        click.echo(sanitize(line))
    if plan.secrets:
        click.echo("rotate: an agent could read these keys before")
        for secret in plan.secrets:
            click.echo(sanitize(f"  {secret.client} {secret.server} {secret.name}"))
    if not plan.changes:
        click.echo("nothing to change", err=True)


def _find_config(config: str) -> Path:
    """Return the configuration: as named, else in the user's configuration folder."""
    if config:
        return Path(config).absolute()
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(folder) if Path(folder).is_absolute() else find_home() / ".config"
    return base / "answerable" / "answerable.yaml"


def _find_owner(home: Path) -> str:
    """Return the mail address of the git user of a home, else the login name."""
    from answerable.connectors.bounded_folder import read_file
    from answerable.connectors.home.parse.person import parse_git_person

    for name in (".gitconfig", ".config/git/config"):
        if (home / name).is_file():
            _, email = parse_git_person(
                read_file(str(home / name)).decode("utf-8", "replace")
            )
            if email:
                return email
    return home.name or "owner"


def _find_gateway_command() -> tuple[str, ...]:
    """Return the words that start this installation, for clients without our PATH."""
    script = Path(sys.executable).parent / "answerable"
    if script.is_file():
        return (str(script),)
    return (sys.executable, "-P", "-m", "answerable")
