"""`kill` and `revive`: revocations at every server of a configuration."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerable.cli.settings import (
    Settings,
    Verb,
    config_places,
    pass_settings,
    store_place,
)

if TYPE_CHECKING:
    from answerable.model.config import Config
    from answerable.model.inventory import Inventory
    from answerable.server.revocation_effects import Act
    from answerable.server.revocation_service import Done
    from answerable.store.store import Store

_config = click.option(
    "--config", metavar="FILE", default="", help="The answerable.yaml of the servers."
)
_reason = click.option(
    "--reason", metavar="TEXT", default="", help="Reason; kept with the record."
)


@click.command(cls=Verb, short_help="Stop a subject everywhere, within a second.")
@click.argument("subject")
@_config
@_reason
@click.option("--dry-run", is_flag=True, help="Show what it would end; change nothing.")
@pass_settings
def kill(
    settings: Settings, subject: str, config: str, reason: str, dry_run: bool
) -> None:
    """Stop everything that SUBJECT does, at the gateway and token service of FILE.

    SUBJECT is agent:..., run:RUN, cred:..., rule:ID, issuer:NAME, person:...,
    principal:PRINCIPAL, server:NAME, tool:mcp/SERVER/TOOL or key:KID. Calls are
    refused in every mode, open streams are cut, no tokens are issued, and issued ones
    are revoked. Lists what ends, and what remains until when. An agent may kill.
    """
    from answerable.authorization.revocations import is_misspelled
    from answerable.server.revocation_effects import DRY_RUN, KILL, Act
    from answerable.server.revocation_service import operator

    target = _Target(settings, config)
    kills = target.kills
    if dry_run:
        done = kills.preview(subject)
    else:
        done = kills.kill(subject, operator(), reason)
    if target.config is not None and is_misspelled(subject, target.config):
        place = target.config.place
        click.echo(f"warning: {place} has no {subject}; is it misspelled?", err=True)
    now = time.time_ns()
    if dry_run:
        would = "would be killed" if done.is_new else "is killed already"
        click.echo(f"{subject}: {would} at {' and '.join(done.at)}", err=True)
        target.show(Act(DRY_RUN, subject, done, now), settings)
        return
    tell(subject, done)
    target.record(subject, done, reason, now, revived=False)
    target.show(Act(KILL, subject, done, now), settings)
    everywhere(f"{subject} is not killed everywhere", done)


@click.command(cls=Verb, short_help="Take a kill back.")
@click.argument("subject")
@_config
@_reason
@pass_settings
def revive(settings: Settings, subject: str, config: str, reason: str) -> None:
    """Take back the kill of SUBJECT everywhere. Ended runs and tokens stay ended.

    An agent may not do this, as it gives access back.
    """
    from answerable.cli.signing import only_a_person
    from answerable.server.revocation_effects import REVIVE, Act
    from answerable.server.state_folders import token_state

    target = _Target(settings, config)
    service = None if target.config is None else target.config.sts
    of_store = replace(settings, store=str(target.store))
    only_a_person(of_store, token_state(service, target.store) / "runs")
    done = target.kills.revive(subject)
    said = "revived, within a second," if done.is_new else "was not killed"
    click.echo(f"{subject}: {said} at {' and '.join(done.at)}", err=True)
    now = time.time_ns()
    target.record(subject, done, reason, now, revived=True)
    target.show(Act(REVIVE, subject, done, now), settings)
    everywhere(f"{subject} is not revived everywhere", done)


def tell(subject: str, done: "Done") -> None:
    """Print the servers at which a kill is in force."""
    # It is not known when a waiting server will apply it.
    new = "killed" if done.waits else "killed, within a second,"
    said = new if done.is_new else "killed already"
    click.echo(f"{subject}: {said} at {' and '.join(done.at)}", err=True)
    if done.ended is not None:
        click.echo(f"delegations ended: {len(done.ended)}", err=True)
    for each in done.waits:
        click.echo(each, err=True)


def everywhere(otherwise: str, done: "Done") -> None:
    """Refuse success if a server did not accept the kill.

    Raises:
        EnvironmentRefused: A server did not.
    """
    from answerable.model.errors import EnvironmentRefused

    if done.refused:
        raise EnvironmentRefused(
            f"{otherwise} ({'; '.join(done.refused)})", "; ".join(done.hints)
        )


class _Target:
    """Servers of a kill, and the store that records it.

    Attributes:
        config: The configuration; None if none is named.
        store: Folder of the store.
        kills: Revocations of both.
    """

    def __init__(self, settings: Settings, config: str) -> None:
        from answerable.server.revocation_service import Kills

        self.config: Config | None = None
        self.store: Path
        if config:
            self.config, self.store = _configured(settings, config)
        else:
            self.store, _ = store_place(settings)
        self.kills: Kills = Kills(self.store, self.config)

    def record(
        self, subject: str, done: "Done", reason: str, at: int, *, revived: bool
    ) -> None:
        """Record a kill; it stays in force if recording fails."""
        from answerable.model.errors import AnswerableError
        from answerable.server.revocation_records import KillRecord, put_record
        from answerable.server.revocation_service import operator

        ended = None if done.ended is None else len(done.ended)
        record = KillRecord(subject, operator(), "command", revived, at, reason, ended)
        try:
            with self._opened(at) as store:
                put_record(store, record)
        except AnswerableError as error:
            click.echo(f"warning: it is not recorded: {error.message}", err=True)

    def show(self, act: "Act", settings: Settings) -> None:
        """Show what a kill ends and what remains."""
        from answerable.cli.output import show
        from answerable.server.revocation_effects import effects

        show(effects(act, self.config, self._inventory(act.now)), settings)

    def _inventory(self, now: int) -> "Inventory | None":
        from answerable.model.errors import AnswerableError
        from answerable.services.inventory import snapshots

        if not self.store.is_dir():
            return None
        try:
            with self._opened(now) as store:
                return snapshots.load(store, now=now)
        except AnswerableError:
            return None

    @contextmanager
    def _opened(self, now: int) -> "Iterator[Store]":
        """Open the store, as its owner if this process is root."""
        from answerable.model.errors import EnvironmentRefused
        from answerable.store.duckdb_engine import load_library
        from answerable.store.durable_files import as_owner_of
        from answerable.store.store import Store

        load_library()  # the store's owner may not be able to read our installation
        try:
            with as_owner_of(self.store), Store.open(self.store, now=now) as store:
                yield store
        except ImportError as error:
            raise EnvironmentRefused(
                f"{error.name} cannot be loaded as the owner of {self.store}"
            ) from None


def _configured(settings: Settings, place: str) -> "tuple[Config, Path]":
    """Read a configuration; a faulty policy does not delay a kill."""
    from answerable.connectors.config.fetch import read_file
    from answerable.server.reloadable_plan import config_of, store_of

    config = config_of(place, read_file(place))
    return config, store_of(config, *config_places(settings))
