"""`kill` and `revive`: revoke a subject at gateway and token service, and undo it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerable.cli.settings import (
    AppCommand,
    Settings,
    find_named_and_default_store,
    find_store,
    pass_settings,
)

if TYPE_CHECKING:
    from answerable.model.config import Config
    from answerable.model.inventory import Inventory
    from answerable.server.revocation_effects import RevocationAct
    from answerable.server.revocation_service import RevocationResult
    from answerable.store.issued_credentials import IssuedCredentialRecord
    from answerable.store.store import EvidenceStore

_config_option = click.option(
    "--config", metavar="FILE", default="", help="Configuration file of the servers."
)
_reason_option = click.option(
    "--reason", metavar="TEXT", default="", help="Reason; kept in the record."
)


@click.command(cls=AppCommand, short_help="Stop a subject everywhere, within a second.")
@click.argument("subject")
@_config_option
@_reason_option
@click.option(
    "--dry-run", is_flag=True, help="Show the effects of the kill, and change nothing."
)
@pass_settings
def kill(
    settings: Settings, subject: str, config: str, reason: str, dry_run: bool
) -> None:
    """Stop everything that SUBJECT does, at the gateway and token service of FILE.

    SUBJECT is agent:..., run:RUN, cred:..., rule:ID, issuer:NAME, person:...,
    principal:PRINCIPAL, server:NAME, tool:mcp/SERVER/TOOL or key:KID. Calls are refused
    in every mode, open streams are cut, no tokens are issued, and issued tokens are
    revoked. The output lists the access that ends, and the access that remains with its
    expiry. Agents may use this command.
    """
    from answerable.authorization.revocations import is_undeclared_subject
    from answerable.server.revocation_effects import (
        DRY_RUN_ACT,
        KILL_ACT,
        RevocationAct,
    )
    from answerable.server.revocation_service import operator_name

    target = _KillTarget(settings, config)
    kills = target.kills
    if dry_run:
        done = kills.preview(subject)
    else:
        done = kills.revoke(subject, operator_name(), reason)
    if target.config is not None and is_undeclared_subject(subject, target.config):
        place = target.config.place
        click.echo(
            f"warning: {place} does not contain {subject}; check the spelling", err=True
        )
    now = time.time_ns()
    if dry_run:
        would = "would be killed" if done.is_new else "is already killed"
        click.echo(f"{subject}: {would} at {' and '.join(done.at)}", err=True)
        target.show_effects(RevocationAct(DRY_RUN_ACT, subject, done, now), settings)
        return
    print_kill_results(subject, done)
    target.record_kill(subject, done, reason, now, revived=False)
    target.show_effects(RevocationAct(KILL_ACT, subject, done, now), settings)
    require_kill_everywhere(f"{subject} is not killed everywhere", done)


@click.command(cls=AppCommand, short_help="Revoke a kill.")
@click.argument("subject")
@_config_option
@_reason_option
@pass_settings
def revive(settings: Settings, subject: str, config: str, reason: str) -> None:
    """Revoke the kill of SUBJECT everywhere. Ended runs and tokens stay ended.

    An agent may not do this, because it restores access.
    """
    from answerable.cli.signing import require_human
    from answerable.server.revocation_effects import REVIVE_ACT, RevocationAct
    from answerable.server.state_folders import token_service_state

    target = _KillTarget(settings, config)
    service = None if target.config is None else target.config.sts
    of_store = replace(settings, store=str(target.store))
    require_human(of_store, token_service_state(service, target.store) / "runs")
    done = target.kills.reinstate(subject)
    said = "revived, within a second," if done.is_new else "was not killed"
    click.echo(f"{subject}: {said} at {' and '.join(done.at)}", err=True)
    now = time.time_ns()
    target.record_kill(subject, done, reason, now, revived=True)
    target.show_effects(RevocationAct(REVIVE_ACT, subject, done, now), settings)
    require_kill_everywhere(f"{subject} is not revived everywhere", done)


def print_kill_results(subject: str, result: "RevocationResult") -> None:
    """Print at which servers a kill is in force, and the ended delegations."""
    from answerable.server.revocation_effects import describe_kill

    said = describe_kill(result)
    said += "," if "," in said else ""
    click.echo(f"{subject}: {said} at {' and '.join(result.at)}", err=True)
    if result.ended is not None:
        click.echo(f"delegations ended: {len(result.ended)}", err=True)
    for each in result.waits:
        click.echo(each, err=True)


def require_kill_everywhere(message: str, result: "RevocationResult") -> None:
    """Fail the command if a server did not accept the kill.

    Raises:
        EnvironmentFailure: A server did not.
    """
    from answerable.model.errors import EnvironmentFailure

    if result.refused:
        raise EnvironmentFailure(
            f"{message} ({'; '.join(result.refused)})", "; ".join(result.hints)
        )


class _KillTarget:
    """Servers of a kill, and the store that records it.

    Attributes:
        config: The configuration; None if none is named.
        store: Folder of the store.
        kills: Revocations of both.
    """

    def __init__(self, settings: Settings, config: str) -> None:
        from answerable.server.revocation_service import RevocationService

        self.config: Config | None = None
        self.store: Path
        if config:
            self.config, self.store = _read_config(settings, config)
        else:
            self.store, _ = find_store(settings)
        self.kills: RevocationService = RevocationService(self.store, self.config)

    def record_kill(
        self,
        subject: str,
        result: "RevocationResult",
        reason: str,
        at: int,
        *,
        revived: bool,
    ) -> None:
        """Record a kill; it stays in force if recording fails."""
        from answerable.model.errors import AnswerableError
        from answerable.server.revocation_records import (
            RevocationRecord,
            put_revocation_record,
        )
        from answerable.server.revocation_service import operator_name

        ended = None if result.ended is None else len(result.ended)
        record = RevocationRecord(
            subject=subject,
            by=operator_name(),
            how="command",
            revived=revived,
            at=at,
            reason=reason,
            ended=ended,
        )
        try:
            with self._open_store(at) as store:
                put_revocation_record(store, record)
        except AnswerableError as error:
            click.echo(
                f"warning: the kill or revival could not be recorded: {error.message}",
                err=True,
            )

    def show_effects(self, act: "RevocationAct", settings: Settings) -> None:
        """Show what a kill ends and what remains."""
        from answerable.cli.output import print_document
        from answerable.server.revocation_effects import list_revocation_effects

        inventory, issued, doubt = self._load_credentials(act)
        if doubt:
            click.echo(f"warning: {doubt}", err=True)
        print_document(
            list_revocation_effects(act, self.config, inventory, issued), settings
        )

    def _load_credentials(
        self, act: "RevocationAct"
    ) -> "tuple[Inventory | None, tuple[IssuedCredentialRecord, ...], str]":
        """Load the newest inventory, and the credentials that agents got lately.

        The inventory is None, and no credential is known, if the store cannot be read.

        Returns:
            With a warning about a subject that nothing names; empty for none.
        """
        from answerable.model.credential_policy import MAX_DURATION
        from answerable.model.errors import AnswerableError
        from answerable.services.inventory import snapshots
        from answerable.store.issued_credentials import read_issued_credentials

        now = act.now
        if not self.store.is_dir():
            return None, (), ""
        try:
            with self._open_store(now) as store:
                issued = read_issued_credentials(store, now - MAX_DURATION * 10**9)
                inventory = snapshots.load_inventory(store, now=now)
                return inventory, issued, self._describe_doubt(store, inventory, act)
        except AnswerableError:
            return None, (), ""

    def _describe_doubt(
        self, store: "EvidenceStore", inventory: "Inventory", act: "RevocationAct"
    ) -> str:
        """Return a warning about a subject that no scan, log or configuration names."""
        from answerable.inventory.unknown_subjects import describe_unknown_subject
        from answerable.server.revocation_effects import REVIVE_ACT
        from answerable.store.subject_events import has_events_of_subject

        # An agent of the configuration is checked against it.
        declared = self.config is not None and act.subject.startswith("agent:declared/")
        if act.kind == REVIVE_ACT or declared:
            return ""
        doubt = describe_unknown_subject(inventory, act.subject)
        return "" if doubt and has_events_of_subject(store, act.subject) else doubt

    @contextmanager
    def _open_store(self, now: int) -> "Iterator[EvidenceStore]":
        """Open the store, as its owner if this process is root."""
        from answerable.model.errors import EnvironmentFailure
        from answerable.store.duckdb_engine import preload_duckdb
        from answerable.store.durable_files import act_as_folder_owner
        from answerable.store.store import EvidenceStore

        preload_duckdb()  # the store's owner may not be able to read our installation
        try:
            with (
                act_as_folder_owner(self.store),
                EvidenceStore.open(self.store, now=now) as store,
            ):
                yield store
        except ImportError as error:
            raise EnvironmentFailure(
                f"{error.name} cannot be loaded as the owner of {self.store}",
                "let that user read the installation, or run the command as that user",
            ) from None


def _read_config(settings: Settings, path: str) -> "tuple[Config, Path]":
    """Read a configuration; a faulty policy does not delay a kill."""
    from answerable.connectors.config.fetch import read_config_file
    from answerable.server.restart_only_settings import (
        require_valid_config,
        resolve_store_folder,
    )

    config = require_valid_config(path, read_config_file(path))
    return config, resolve_store_folder(config, *find_named_and_default_store(settings))
