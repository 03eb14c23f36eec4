"""`tighten` and `loosen`: move an agent towards enforcement, one mode at a time."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from answerable.cli.output import print_and_exit, print_document
from answerable.cli.session import StoreSession, open_session
from answerable.cli.settings import (
    AppCommand,
    Settings,
    find_home,
    find_named_and_default_store,
    find_store,
    pass_settings,
)
from answerable.cli.signing import (
    add_key_options,
    load_signer,
    require_consent,
    require_human,
)
from answerable.model.errors import AnswerableError, UsageError
from answerable.presentation.text import sanitize

if TYPE_CHECKING:
    from answerable.model.config import DeclaredAgent
    from answerable.model.decision import EnforcementMode
    from answerable.model.documents.shared_shapes import Document
    from answerable.services.statements.owner_keys import StatementSigner
    from answerable.usecases.protection.agent_modes import ModeChange, PresentConfig

_LIFETIME = 90 * 86_400 * 10**9  # nanoseconds
_config_option = click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Configuration file that names the agent.",
)
_yes_option = click.option("--yes", is_flag=True, help="Do not ask before writing.")


@click.command(cls=AppCommand, short_help="Move an agent one mode towards enforcement.")
@click.argument("agent", metavar="AGENT")
@_config_option
@_yes_option
@click.option(
    "--min-runs",
    type=click.IntRange(min=1),
    default=40,
    show_default=True,
    help="Number of learned runs that is required to leave observe.",
)
@add_key_options
@pass_settings
def tighten(
    settings: Settings,
    agent: str,
    config: str,
    yes: bool,
    min_runs: int,
    key: str,
    passphrase_file: str,
) -> None:
    """Move AGENT from observe to shadow, or from shadow to enforce.

    From observe: learn the calls of AGENT, show the calls that the baselines would
    allow, sign the baselines for shadow, and narrow the rules to the recorded calls.
    From shadow: show the calls of the last 7 days that enforce would have denied, sign
    the baselines for enforce, and make the installed hooks fail closed. Only the
    attested owner may do this; an agent may not.
    """
    require_human(settings)
    edit = _open_config(settings, config)
    declared = edit.find_agent(agent)
    edit.ship_records(settings)
    with open_session(settings, writes=True) as session:
        from answerable.usecases.protection import agent_modes

        change = agent_modes.plan_tighter_mode(
            edit.present, declared, session.store, session.now, min_runs
        )
        digests = _show_screens(settings, session, change)
        _print_document(settings, agent_modes.build_mode_document(change))
        require_consent(yes, f"Sign, and set {declared.name} to {change.mode}?")
        signer = load_signer(key, passphrase_file)
        _sign_baselines(session, digests, change.mode, signer)
        edit.write(session, change)
    _print_answer(settings, change)


@click.command(cls=AppCommand, short_help="Move an agent one mode back.")
@click.argument("agent", metavar="AGENT")
@_config_option
@_yes_option
@pass_settings
def loosen(settings: Settings, agent: str, config: str, yes: bool) -> None:
    """Move AGENT from enforce to shadow, or from shadow to observe.

    The rules and signed baselines of AGENT stay; in observe, a server without a rule
    gets an open rule, so that its calls are learned. An agent that is no longer
    enforced is listed under `ends_enforcement`, and its hooks no longer fail closed. An
    agent may not do this.
    """
    from answerable.usecases.protection import agent_modes

    require_human(settings)
    edit = _open_config(settings, config)
    change = agent_modes.plan_looser_mode(edit.present, edit.find_agent(agent))
    _show_file_changes(settings, change)
    require_consent(yes, f"Set {change.agent.name} to {change.mode}?")
    with open_session(settings, create=True) as session:
        edit.write(session, change)
    _print_answer(settings, change)


@dataclass(frozen=True, slots=True)
class _ConfigEdit:
    """Configuration that a command changes."""

    path: Path
    present: "PresentConfig"

    def find_agent(self, name: str) -> "DeclaredAgent":
        """Find an agent by its name or id."""
        from answerable.usecases.protection.agent_modes import find_declared_agent

        return find_declared_agent(self.present.config, name)

    def ship_records(self, settings: Settings) -> None:
        """Ship the records that wait in the gateway's spool.

        Raises:
            AnswerableError: The store cannot be written.
        """
        from answerable.server.state_folders import gateway_state
        from answerable.server.store_access import ship_store_spool

        root, _ = find_store(settings)
        spool = gateway_state(self.present.config, root) / "spool"
        shipped = ship_store_spool(root, spool) if spool.is_dir() else None
        if isinstance(shipped, AnswerableError):
            raise shipped

    def write(self, session: StoreSession, change: "ModeChange") -> None:
        """Write the changed file, and record its agents in the inventory.

        Raises:
            UsageError: The file has changed since it was read.
            EnvironmentFailure: It cannot be written.
        """
        from answerable.connectors.config.fetch import read_config_file
        from answerable.services.inventory.declared_agents import record_declared_agents
        from answerable.services.protection.protection_state import replace_file
        from answerable.usecases.protection import apply

        if self.present.protected:
            apply.apply_plan(change.plan, self.path.parent)
        else:  # written by hand: `unprotect` has nothing to restore
            (made,) = change.plan.changes
            if self.path.read_bytes() != self.present.data:
                raise UsageError(
                    f"{self.path} was changed by another program",
                    "run the command again",
                )
            replace_file(self.path, made.after, lambda _: None)
        config = read_config_file(str(self.path)).config
        if config is not None:
            now = time.time_ns()
            record_declared_agents(session.store, config, read_at=now, now=now)


def _open_config(settings: Settings, named: str) -> _ConfigEdit:
    """Read the configuration, and name its store in the settings.

    Raises:
        ConfigError: It is invalid.
        UsageError: It does not exist.
    """
    from answerable.cli.commands.protect import find_config
    from answerable.connectors.config.fetch import read_config_file
    from answerable.connectors.config.parse.config_faults import ConfigError
    from answerable.server.restart_only_settings import resolve_store_folder
    from answerable.usecases.protection.agent_modes import PresentConfig
    from answerable.usecases.protection.apply import list_protected_files

    path = find_config(named)
    reading = read_config_file(str(path))
    if reading.config is None or reading.faults:
        raise ConfigError(str(path), reading.faults)
    root = resolve_store_folder(reading.config, *find_named_and_default_store(settings))
    settings.store = settings.store or str(root)
    protected = list_protected_files(path.parent)
    present = PresentConfig(reading.config, path.read_bytes(), find_home(), protected)
    return _ConfigEdit(path, present)


def _show_screens(
    settings: Settings, session: StoreSession, change: "ModeChange"
) -> list[str]:
    """Show what a change means; return the digests of the baselines to sign."""
    from answerable.model.decision import EnforcementMode
    from answerable.services.protection.observed_calls import RECENT
    from answerable.usecases.baseline import list_profiles, manage_profiles
    from answerable.usecases.baseline.replay_calls import replay_profile

    agent, now = change.agent.id, session.now
    if change.mode is EnforcementMode.SHADOW:
        _print_title(settings, "learned from its recorded calls")
        learned = manage_profiles.learn_profiles(
            session.store, agent, since=now - _LIFETIME, now=now
        )
        _print_document(settings, learned)
        digests = [str(each["digest"]) for each in learned.items]
        for digest in digests:
            _print_title(settings, f"changes by signing {digest[:16]}")
            _print_document(
                settings,
                manage_profiles.compare_profiles(session.store, "", digest, now=now),
            )
        _print_title(settings, "its rules from now on; enforcing denies any other call")
        return digests
    known = list_profiles.list_baselines(session.store, now=now, agent=agent)
    digests = [str(e["digest"]) for e in known.items if e["state"] == "standing"]
    if not digests:
        raise UsageError(
            f"{change.agent.name} has no signed baseline in force",
            f"run `answerable loosen {change.agent.name}`, then `answerable "
            "tighten` again",
        )
    _show_refused(settings, change)
    _print_title(settings, "the same 7 days, evaluated with its signed baselines")
    _print_document(
        settings, replay_profile(session.store, agent, "", since=now - RECENT, now=now)
    )
    _show_file_changes(settings, change)
    _print_title(settings, "its rules")
    return digests


def _print_answer(settings: Settings, change: "ModeChange") -> None:
    """Print the new mode: in a table one line, else the document."""
    from answerable.usecases.protection.agent_modes import build_mode_document

    document = build_mode_document(change)
    if settings.output != "table":
        print_and_exit(document, settings)
    before, name = change.agent.mode, change.agent.name
    click.echo(sanitize(f"{name}: {before} to {change.mode}"))
    if document.next and not settings.quiet:
        click.echo(f"next: {document.next}", err=True)


def _sign_baselines(
    session: StoreSession,
    digests: list[str],
    mode: "EnforcementMode",
    signer: "StatementSigner",
) -> None:
    """Sign the baselines into the stage of a mode."""
    from answerable.model.baseline import BaselineStage
    from answerable.usecases.baseline import manage_profiles

    for digest in digests:
        manage_profiles.sign_profile(
            session.store,
            digest,
            signer,
            BaselineStage(mode.value),
            lifetime=_LIFETIME,
            now=time.time_ns(),
            # An agent that leaves observe was not enforced: nothing ends here.
            ends_enforcement=True,
        )


def _print_document(settings: Settings, document: "Document") -> None:
    """Print a screen before the question; other formats have the answer alone."""
    if settings.output == "table":
        print_document(document, Settings(store=settings.store, quiet=True))


def _show_refused(settings: Settings, change: "ModeChange") -> None:
    """Print the calls of the last 7 days that enforcing would have refused."""
    if settings.output != "table":
        return
    _print_title(settings, "calls of the last 7 days that enforce would have denied")
    for each in change.refused:
        name = f"{each.server} {each.name or each.kind}"
        why = "" if each.covered else ", no rule allows it"
        click.echo(sanitize(f"{name}: {each.refused} of {each.calls} calls{why}"))
    if not change.refused:
        click.echo("none of the recorded calls")


def _show_file_changes(settings: Settings, change: "ModeChange") -> None:
    """Print what changes besides the configuration, and what cannot be changed."""
    if settings.output != "table":
        return
    for each in change.plan.changes[1:]:
        click.echo(sanitize(f"{each.path}: {', '.join(each.what)}"))
    for refusal in change.plan.refused:
        click.echo(sanitize(f"{refusal.path}: {refusal.reason}"))


def _print_title(settings: Settings, text: str) -> None:
    """Print the title of a screen."""
    if settings.output == "table":
        click.echo(f"# {sanitize(text)}")
