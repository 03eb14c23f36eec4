"""`protect` and `unprotect`: put the servers of this home's clients behind the gateway."""

import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerable.cli.output import print_and_exit
from answerable.cli.settings import (
    AppCommand,
    Settings,
    WordChoice,
    find_home,
    find_named_and_default_store,
    find_store,
    pass_settings,
)
from answerable.cli.signing import require_consent
from answerable.model.errors import AnswerableError, UsageError
from answerable.presentation.command_hints import format_command
from answerable.presentation.text import sanitize

if TYPE_CHECKING:
    from answerable.model.documents.shared_shapes import Document
    from answerable.services.protection.protection_plan import ProtectionPlan

_STATUS = "status"
_FLEET_CONFIG = Path("/etc/answerable/answerable.yaml")
MODES = ("observe", "shadow", "enforce")
_CONFIG = click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Configuration file to write (answerable.yaml).",
)


@click.command(cls=AppCommand, short_help="Put MCP servers behind the gateway.")
@click.argument("clients", nargs=-1, metavar="[CLIENT]...")
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Protect all clients, the default without CLIENT.",
)
@_CONFIG
@click.option(
    "--mode",
    type=WordChoice(MODES),
    default="observe",
    help="Enforcement mode of the agents.",
)
@click.option("--owner", metavar="MAIL", default="", help="Owner of the agents.")
@click.option(
    "--repo",
    metavar="DIR",
    default="",
    help="Only the committed files of a repository.",
)
@click.option(
    "--managed",
    metavar="DIR",
    default="",
    help="Write settings for many machines to DIR.",
)
@click.option("--dry-run", is_flag=True, help="Show the changes without writing them.")
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
@pass_settings
def protect(
    settings: Settings,
    clients: tuple[str, ...],
    every: bool,
    config: str,
    mode: str,
    owner: str,
    repo: str,
    managed: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Rewrite the files of CLIENT (all by default), so that the gateway sees each call.

    `protect status` shows which servers are behind the gateway, and the next step of each.
    Each server entry starts `answerable gateway stdio`; literal secrets move to files of
    mode 0600 that the gateway reads; clients that support hooks get the hook. Originals
    are kept, and
    `unprotect` restores them.

    With --repo, only the committed files of DIR change, without paths of this machine.
    With --managed, no client's file changes: DIR gets the files that an administrator
    distributes.
    """
    from answerable.services.protection.client_files import require_known_clients
    from answerable.usecases.protection.apply import apply_plan, recover

    if every and clients:
        raise UsageError("--all cannot be combined with CLIENT", "name one of them")
    shows_status = clients[:1] == (_STATUS,)
    asked = clients[1:] if shows_status else clients
    require_known_clients(asked)
    place = _find_place(config, repo, managed)
    if shows_status:
        document, note = load_status(settings, place.config, asked, place.repository)
        print_and_exit(document, settings, note=note)
    if not (dry_run or managed):
        recover(place.config.parent)
    plan = plan_home(settings, place, asked, mode=mode, owner=owner)
    if managed:
        plan = _plan_managed(plan, Path(managed).absolute(), mode)
    _print_plan(plan)
    if dry_run or not plan.changes:
        return
    require_consent(yes, "Write these changes?")
    if managed:
        _write_new_files(plan)
        return
    applied = apply_plan(plan, place.config.parent)
    click.echo(f"{len(applied.written)} files written")
    if place.repository is None:
        record_config_agents(settings, place.config)
    named = ("--repo", repo) if repo else ("--config", config) if config else ()
    if not settings.quiet:
        command = format_command("protect", "status", *named)
        click.echo(sanitize(f"next: {command}"), err=True)
    for left in applied.left:
        click.echo(
            f"not written, the file changed after it was read: {sanitize(str(left))}",
            err=True,
        )


@click.command(cls=AppCommand, short_help="Restore the files that protect changed.")
@click.argument("clients", nargs=-1, metavar="[CLIENT]...")
@_CONFIG
def unprotect(clients: tuple[str, ...], config: str) -> None:
    """Restore the files of CLIENT (all by default) as they were before `protect`.

    Edits that a client made in between are kept; the output names a file that cannot be
    restored.
    """
    from answerable.services.protection.client_files import require_known_clients
    from answerable.services.protection.protection_plan import UndoOutcome
    from answerable.usecases.protection.apply import undo

    require_known_clients(clients)
    results = undo(find_config(config).parent, clients)
    for each in results:
        detail = f" ({each.detail})" if each.detail else ""
        click.echo(f"{each.outcome} {sanitize(str(each.path))}{detail}")
    if not results:
        click.echo("nothing is protected", err=True)
    kept = any(each.outcome is UndoOutcome.KEPT for each in results)
    click.get_current_context().exit(1 if kept else 0)


@dataclass(frozen=True, slots=True)
class _ProtectedPlace:
    """Place that `protect` works on.

    Attributes:
        config: The configuration, which may not exist yet.
        repository: Repository whose committed files change; None for the home.
        is_managed: The configuration is that of a fleet.
    """

    config: Path
    repository: Path | None = None
    is_managed: bool = False


def _find_place(config: str, repo: str, managed: str) -> _ProtectedPlace:
    """Find the configuration of a home, of a repository or of a fleet.

    Raises:
        UsageError: The options exclude each other, or the repository does not exist.
    """
    if bool(config) + bool(repo) + bool(managed) > 1:
        raise UsageError(
            "--config, --repo and --managed exclude each other", "name one of them"
        )
    if managed:
        return _ProtectedPlace(_FLEET_CONFIG, is_managed=True)
    if not repo:
        return _ProtectedPlace(find_config(config))
    folder = Path(repo).absolute()
    if not folder.is_dir():
        raise UsageError(f"no such folder (got {repo!r})", "name a repository's folder")
    return _ProtectedPlace(folder / ".answerable" / "answerable.yaml", folder)


def plan_home(
    settings: Settings,
    place: _ProtectedPlace,
    clients: tuple[str, ...] = (),
    *,
    mode: str = MODES[0],
    owner: str = "",
) -> "ProtectionPlan":
    """Plan the protection of the clients of this home and folder; nothing is written.

    Args:
        settings: Settings with the store.
        place: The configuration, and the repository.
        clients: Agent clients; empty for all.
        mode: Mode of new agents.
        owner: Owner of new agents; empty for the git user of the home.

    Raises:
        UsageError: An agent is new, and no owner is known, or it is no person.
    """
    from answerable.services.protection.home_owner import choose_owner
    from answerable.services.protection.os_keyring import has_keyring
    from answerable.services.protection.protection_plan import ProtectionRequest
    from answerable.usecases.protection.plan import build_protection_plan

    home = find_home()
    here = place.repository is None and not place.is_managed
    request = ProtectionRequest(
        owner=choose_owner(owner, home),
        home=home,
        folder=None if place.is_managed else place.repository or Path.cwd(),
        clients=("claude-code",) if place.is_managed else clients,
        mode=mode,
        config_path=place.config,
        gateway_command=_find_gateway_command() if here else ("answerable",),
        store=_find_store_to_name(settings, home) if here else None,
        is_repository=place.repository is not None,
        uses_keyring=here and has_keyring(),
        is_managed=place.is_managed,
    )
    return build_protection_plan(request)


def _plan_managed(plan: "ProtectionPlan", folder: Path, mode: str) -> "ProtectionPlan":
    """Plan the files of a fleet, from the plan of this home."""
    from answerable.services.protection.managed_files import build_managed_files

    if plan.mediated:
        raise UsageError(
            "the servers of this home are protected already", "run unprotect first"
        )
    changes = build_managed_files(plan, folder, enforces=mode == MODES[-1])
    return replace(plan, changes=changes)


def _write_new_files(plan: "ProtectionPlan") -> None:
    """Write files that do not exist yet, and name the keys to distribute.

    Raises:
        UsageError: One exists.
    """
    from answerable.store.durable_files import make_private_folder, write_file

    for change in plan.changes:
        if change.path.exists():
            raise UsageError(f"{change.path} exists", "name an empty folder")
    for change in plan.changes:
        make_private_folder(change.path.parent)
        write_file(change.path, change.after)
    click.echo(f"{len(plan.changes)} files written")
    for secret in plan.secrets:
        click.echo(
            sanitize(f"create this key file yourself: {secret.path} (mode 0600)")
        )


def record_config_agents(settings: Settings, path: Path) -> None:
    """Record the agents of a configuration in the inventory of its store."""
    from answerable.connectors.config.fetch import read_config_file
    from answerable.server.restart_only_settings import resolve_store_folder
    from answerable.server.store_access import record_agents_of_config

    config = read_config_file(str(path)).config
    if config is not None:
        root = resolve_store_folder(config, *find_named_and_default_store(settings))
        failed = record_agents_of_config(root, config, time.time_ns())
        if failed is not None:
            raise failed


def load_status(
    settings: Settings,
    path: Path,
    clients: tuple[str, ...] = (),
    repository: Path | None = None,
) -> "tuple[Document, str]":
    """Load the status of the clients of this home and folder, and a note on it."""
    from answerable.server import client_protection_status
    from answerable.server.restart_only_settings import resolve_store_folder
    from answerable.server.state_folders import gateway_state
    from answerable.server.store_access import COMMAND_LOCK_TIMEOUT, ship_store_spool
    from answerable.store.store import EvidenceStore

    now = time.time_ns()
    plan = client_protection_status.plan_present_files(
        path,
        find_home(),
        repository or Path.cwd(),
        clients,
        is_repository=repository is not None,
    )
    config = client_protection_status.read_protect_config(path)
    place = client_protection_status.name_place(path, find_home(), repository)
    load = partial(client_protection_status.load_protection_status, options=place)
    if config is None:
        return load(plan, None, None, now), ""
    root = resolve_store_folder(config, *find_named_and_default_store(settings))
    state = gateway_state(config, root)
    load = partial(load, state=state)
    if not root.exists():
        return load(plan, config, None, now), ""
    # A client that ends does not wait until its wrapper has shipped the records.
    spool = state / "spool"
    wait = COMMAND_LOCK_TIMEOUT
    shipped = ship_store_spool(root, spool, wait) if spool.is_dir() else None
    failed = isinstance(shipped, AnswerableError)
    with EvidenceStore.open(root, now=now, create=False) as store:
        document = load(
            plan, config, store, now, complete=not failed, records_missing=failed
        )
    if isinstance(shipped, AnswerableError):
        return document, f"some calls are not counted: {shipped.message}"
    return document, ""


def _print_plan(plan: "ProtectionPlan") -> None:
    """Print the changes in words and as a diff, with secrets masked."""
    from answerable.services.protection.masked_diff import diff_change

    secrets = [secret.value for secret in plan.secrets]
    secrets += [each.found.value for each in plan.to_check]
    for change in plan.changes:
        click.echo(sanitize(str(change.path)) + ("" if change.exists else " (new)"))
        for what in change.what:
            click.echo(f"  {sanitize(what)}")
        for line in diff_change(change, secrets):
            click.echo(f"    {sanitize(line)}")
    _print_remainder(plan)
    if not plan.changes:
        click.echo("nothing to change", err=True)


def _print_remainder(plan: "ProtectionPlan") -> None:
    """Print the parts that stay as they are, and the keys to rotate."""
    for refusal in plan.refused:
        click.echo(sanitize(f"not changed: {refusal.describe()}"))
        if refusal.keys:
            click.echo(sanitize(refusal.describe_keys()))
    for server in plan.uncovered:
        click.echo(sanitize(_describe_uncovered(plan, server)))
    if plan.to_check:
        click.echo("not recognised as a secret, and left in place: check these values")
        for each in plan.to_check:
            click.echo(sanitize(f"  {each.client} {each.entry}: {each.found.place}"))
    if plan.secrets:
        click.echo("rotate: an agent could read these keys before")
        for secret in plan.secrets:
            click.echo(sanitize(f"  {secret.client} {secret.server} {secret.name}"))


def _describe_uncovered(plan: "ProtectionPlan", server: str) -> str:
    """Describe that enforcing an agent refuses the calls to an added server."""
    clients = {each.server: each.client for each in plan.servers}
    client = clients.get(server, "its agent")
    return (
        f"{server} is not covered by the signed baseline of {client}: enforcing denies "
        f"its calls until you run `loosen {client}` to observe, and `tighten` it again"
    )


def find_config(config: str) -> Path:
    """Return the configuration: as named, else in the user's configuration folder."""
    from answerable.server.client_protection_status import find_protect_config

    return Path(config).absolute() if config else find_protect_config(find_home())


def _find_store_to_name(settings: Settings, home: Path) -> Path | None:
    """Return the store for the configuration; None for the default of the home.

    A client starts its servers without our options and variables.
    """
    root, _ = find_store(settings)
    return None if root == home / ".local" / "share" / "answerable" else root


def _find_gateway_command() -> tuple[str, ...]:
    """Return the words that start this installation, for clients without our PATH."""
    script = Path(sys.executable).parent / "answerable"
    if script.is_file():
        return (str(script),)
    return (sys.executable, "-P", "-m", "answerable")
