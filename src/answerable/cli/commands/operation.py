"""`backup`, `restore`, `health`: operate an installation."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerable.cli.output import print_and_exit
from answerable.cli.session import open_session
from answerable.cli.settings import (
    AppCommand,
    Settings,
    find_named_and_default_store,
    find_store,
    pass_settings,
)
from answerable.connectors.user_path import expand_user_path

if TYPE_CHECKING:
    from answerable.model.config import Config

_CONFIG = "Configuration with state folders outside the store."


def _read_config(path: str) -> "Config | None":
    """Read a configuration; None if none is named."""
    from answerable.connectors.config.fetch import read_config_file
    from answerable.server.restart_only_settings import require_valid_config

    return require_valid_config(path, read_config_file(path)) if path else None


def _find_root(settings: Settings, config: "Config | None") -> Path:
    """Find the store: named, else that of the configuration, else the default."""
    from answerable.server.restart_only_settings import resolve_store_folder

    if config is None:
        return find_store(settings)[0]
    return resolve_store_folder(config, *find_named_and_default_store(settings))


@click.command(cls=AppCommand, short_help="Back up the store and the servers' state.")
@click.argument("file", metavar="FILE")
@click.option("--config", default="", metavar="FILE", help=_CONFIG)
@click.option(
    "--passphrase",
    default="",
    metavar="FILE",
    help="Include the keys, encrypted with the passphrase in FILE.",
)
@pass_settings
def backup(settings: Settings, file: str, config: str, passphrase: str) -> None:
    """Write a consistent backup to FILE while everything runs.

    The backup contains the store, the spools and pins of the servers, and the SQLite
    database of the token service. Without --passphrase, it contains no keys. Keep the
    passphrase apart from the backup.
    """
    from answerable.server.state_folders import list_state_folders
    from answerable.usecases.operations import backup as flow

    configured = _read_config(config)
    root = _find_root(settings, configured)
    settings.store = str(root)
    secret = flow.read_passphrase(expand_user_path(passphrase)) if passphrase else b""
    with open_session(settings) as session:
        lines = flow.create_backup(
            session.store,
            expand_user_path(file).absolute(),
            folders=list_state_folders(configured, root),
            passphrase=secret,
            uses_postgres=bool(
                configured and configured.sts and configured.sts.database
            ),
            now=session.now,
        )
    for line in lines:
        click.echo(line)


@click.command(cls=AppCommand, short_help="Restore a backup into an empty folder.")
@click.argument("file", metavar="FILE")
@click.option("--config", default="", metavar="FILE", help=_CONFIG)
@click.option(
    "--passphrase",
    default="",
    metavar="FILE",
    help="File with the passphrase of the keys in the backup.",
)
@pass_settings
def restore(settings: Settings, file: str, config: str, passphrase: str) -> None:
    """Restore a backup into an empty folder, and verify it as `evidence verify` does.

    A folder with a store is refused, because that store may be newer than the backup.
    The restore is recorded in the log. Delegations, tokens and signing keys of a
    restored token service are revoked, because the backup lacks later uses and
    revocations. An agent may not do this.
    """
    import time

    from answerable.cli.signing import require_human
    from answerable.server.revocation_service import RevocationService, operator_name
    from answerable.server.state_folders import list_state_folders
    from answerable.usecases.operations import backup as flow

    require_human(settings)
    configured = _read_config(config)
    root = _find_root(settings, configured)
    document, keys = flow.restore_backup(
        expand_user_path(file),
        root,
        folders=list_state_folders(configured, root),
        passphrase=(
            flow.read_passphrase(expand_user_path(passphrase)) if passphrase else b""
        ),
        now=time.time_ns(),
    )
    if configured is not None:
        revocations = RevocationService(root, configured)
        for key in keys if revocations.has_gateway else ():
            revocations.revoke(f"key:{key}", operator_name())
    print_and_exit(document, settings)


@click.command(cls=AppCommand, short_help="Exit 0 if a server is ready, for probes.")
@click.argument("url", default="http://127.0.0.1:8470", metavar="[URL]")
@click.option(
    "--live",
    is_flag=True,
    help="Query whether the server is running, not whether it is ready.",
)
@click.option("--ca", default="", metavar="FILE", help="CA certificates of the server.")
@pass_settings
def health(settings: Settings, url: str, live: bool, ca: str) -> None:
    """Query the readiness of a server: exit code 0 if ready, otherwise 5.

    URL is http(s)://HOST:PORT or unix:PATH of a listener with health and metrics.
    """
    from answerable.server.health_client import check_health

    reason = check_health(url, "/healthz" if live else "/readyz", ca)
    if reason:
        from answerable.model.errors import EnvironmentFailure

        raise EnvironmentFailure(f"{url} is not ready: {reason}", "see its log")
    if not settings.quiet:
        click.echo("ok")
