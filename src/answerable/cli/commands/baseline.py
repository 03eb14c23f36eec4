"""`baseline`: learn what an agent does, sign it and enforce it."""

import re
import time
from typing import TYPE_CHECKING

import click

from answerable.cli.commands.serve import find_state_folder
from answerable.cli.exported_policies import print_policies
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
from answerable.presentation.time_input import parse_span, parse_time

if TYPE_CHECKING:
    from answerable.model.ids import AgentId

_MAX_LIFE = 90 * 86_400 * 10**9
_DIGEST = re.compile(r"[0-9a-f]{4,64}")
_STAGES = ("shadow", "enforce", "off")
_TARGETS = (
    "aws-session-policy",
    "aws-policy",
    "aws-boundary",
    "aws-permission-set",
    "cedar",
    "mcp-allowlist",
)


class _BaselineGroup(AppGroup):
    sections = (
        ("Commands", ("learn", "show", "diff", "rename", "sign", "replay")),
        ("Platforms", ("check", "export")),
    )


@click.group(
    "baseline",
    cls=_BaselineGroup,
    short_help="Learn, sign and enforce behavior profiles.",
)
def baseline() -> None:
    """Learn the usual behaviour of an agent from its records, sign it, and enforce it.

    The gateway records the calls of agents that have a `baseline` in its configuration.
    """


@baseline.command(cls=AppCommand, short_help="Learn a profile from recorded calls.")
@click.argument("agent", metavar="AGENT")
@click.option("--server", default="", metavar="NAME", help="Only calls to this server.")
@click.option(
    "--identity", default=None, metavar="ID", help="Only calls made as this identity."
)
@click.option(
    "--since",
    default="90d",
    metavar="T",
    help="Only calls since this time.  [default: 90d]",
)
@click.option(
    "--cloud",
    is_flag=True,
    help="Learn from platform logs which actions --identity took.",
)
@pass_settings
def learn(
    settings: Settings,
    agent: str,
    server: str,
    identity: str | None,
    since: str,
    cloud: bool,
) -> None:
    """Learn a profile of AGENT for each server and identity, without enforcing it.

    Runs with refused calls, or with calls that await approval, are left out. With
    --cloud, the profile is of the events of --identity in ingested logs.
    """
    from answerable.usecases.baseline import manage_profiles

    if cloud:
        _learn_cloud_profile(settings, agent, server, identity or "", since)
        return
    with open_session(settings, writes=True) as session:
        document = manage_profiles.learn_profiles(
            session.store,
            _parse_agent(agent),
            server=server,
            identity=identity,
            since=parse_time(since, session.now, "--since"),
            now=session.now,
        )
    print_and_exit(document, settings)


def _learn_cloud_profile(
    settings: Settings, agent: str, server: str, identity: str, since: str
) -> None:
    """Learn a profile of an agent from the platform events of an identity.

    Raises:
        UsageError: The options name no identity, or a server.
    """
    from answerable.usecases.baseline import learn_cloud_profile as flow

    if server or not identity:
        raise UsageError(
            "--cloud requires --identity, and no --server",
            "name the identity as events do, e.g. the ARN of a role",
        )
    with open_session(settings, writes=True) as session:
        document = flow.learn_cloud_profile(
            session.store,
            _parse_agent(agent),
            identity,
            since=parse_time(since, session.now, "--since"),
            now=session.now,
        )
    print_and_exit(document, settings)


@baseline.command(cls=AppCommand, short_help="Show a profile with all entries.")
@click.argument("name", metavar="DIGEST|AGENT")
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show the entries of a profile, layer by layer, with their confidence.

    For an AGENT, shows its signed profiles, or the newest ones if none is signed.
    """
    from answerable.usecases.baseline import manage_profiles

    if not _DIGEST.fullmatch(name):
        name = _parse_agent(name)
    with open_session(settings) as session:
        document = manage_profiles.show_profile(session.store, name, now=session.now)
    print_and_exit(document, settings)


@baseline.command(cls=AppCommand, short_help="Show what signing would change.")
@click.argument("new", metavar="DIGEST")
@click.option(
    "--old",
    default="",
    metavar="DIGEST",
    help="Profile to use instead of the signed one.",
)
@pass_settings
def diff(settings: Settings, new: str, old: str) -> None:
    """Compare a profile with the signed one; the gravest changes come first."""
    from answerable.usecases.baseline import manage_profiles

    with open_session(settings) as session:
        document = manage_profiles.compare_profiles(
            session.store, old, new, now=session.now
        )
    print_and_exit(document, settings)


@baseline.command(cls=AppCommand, short_help="Draft profiles for renamed tools.")
@click.argument("agent", metavar="AGENT")
@click.argument("names", nargs=-1, required=True, metavar="SERVER/OLD=SERVER/NEW...")
@click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Configuration file, if the gateway's state is outside the store.",
)
@pass_settings
def rename(settings: Settings, agent: str, names: tuple[str, ...], config: str) -> None:
    """Draft new profiles of AGENT for tools that were renamed.

    The draft contains the map of names, which takes effect once the owner signs it with
    `baseline sign`. If the old name was approved, the new one must be approved, too.
    """
    from answerable.model.definition_pin import DefinitionKind, get_definition_key
    from answerable.server.pins.pin_files import PinFiles
    from answerable.usecases.baseline import rename_tools as flow

    files = PinFiles(find_state_folder(settings, config))

    def pinned(tool: str) -> str:
        server, _, name = tool.partition("/")
        pin = files.read_pins(server).items.get(
            get_definition_key(DefinitionKind.TOOL, name)
        )
        return "" if pin is None else pin.definition.sha256

    with open_session(settings, writes=True) as session:
        document = flow.draft_renamed_profiles(
            session.store, _parse_agent(agent), names, pinned, now=session.now
        )
    print_and_exit(document, settings)


@baseline.command(cls=AppCommand, short_help="Sign a profile and set its stage.")
@click.argument("name", metavar="DIGEST")
@click.option(
    "--stage",
    type=WordChoice(_STAGES),
    required=True,
    help="shadow records what would be blocked, enforce blocks it, off stops both.",
)
@click.option(
    "--for",
    "lifetime",
    default="90d",
    metavar="SPAN",
    help="Lifetime, e.g. 30d.  [default: 90d]",
)
@click.option(
    "--ends-enforcement",
    is_flag=True,
    help="Confirm that the baseline is no longer enforced.",
)
@add_key_options
@pass_settings
def sign(
    settings: Settings,
    name: str,
    stage: str,
    lifetime: str,
    ends_enforcement: bool,
    key: str,
    passphrase_file: str,
) -> None:
    """Sign a profile. Only the attested owner of its agent may; an agent may not.

    The first stage is shadow. A stage that ends enforcement requires
    --ends-enforcement. A running gateway applies the signature within a second.
    """
    from answerable.model.baseline import BaselineStage
    from answerable.services.baseline.profile_learning import load_profile
    from answerable.usecases.baseline import manage_profiles

    require_human(settings)
    lasting = parse_span(lifetime, "--for", _MAX_LIFE)
    with open_session(settings, writes=True) as session:
        load_profile(session.store, name)  # before the passphrase prompt
        signer = load_signer(key, passphrase_file)
        document = manage_profiles.sign_profile(
            session.store,
            name,
            signer,
            BaselineStage(stage),
            lifetime=lasting,
            now=time.time_ns(),
            ends_enforcement=ends_enforcement,
        )
    print_and_exit(document, settings)


@baseline.command(cls=AppCommand, short_help="Show calls that a profile would block.")
@click.argument("agent", metavar="AGENT")
@click.option(
    "--profile",
    default="",
    metavar="DIGEST",
    help="Profile to use instead of the signed one.",
)
@click.option(
    "--since",
    default="30d",
    metavar="T",
    help="Only calls since this time.  [default: 30d]",
)
@pass_settings
def replay(settings: Settings, agent: str, profile: str, since: str) -> None:
    """Evaluate recorded calls of AGENT again, as shadow mode would."""
    from answerable.usecases.baseline import replay_calls as flow

    with open_session(settings) as session:
        document = flow.replay_profile(
            session.store,
            _parse_agent(agent),
            profile,
            since=parse_time(since, session.now, "--since"),
            now=session.now,
        )
    print_and_exit(document, settings)


@baseline.command(cls=AppCommand, short_help="Check cloud events for new behavior.")
@click.argument("identity", metavar="IDENTITY")
@click.option(
    "--since",
    default="7d",
    metavar="T",
    help="Only events since this time.  [default: 7d]",
)
@pass_settings
def check(settings: Settings, identity: str, since: str) -> None:
    """List recent actions of IDENTITY that it had not used in the 90 days before.

    Reads the ingested events of platforms (`ingest cloudtrail:PATH`).
    """
    from answerable.usecases.baseline import check_events as flow

    with open_session(settings) as session:
        document = flow.check_identity_events(
            session.store,
            identity,
            since=parse_time(since, session.now, "--since"),
            now=session.now,
        )
    print_and_exit(document, settings)


@baseline.command(cls=AppCommand, short_help="Export a profile as a policy.")
@click.argument("name", metavar="DIGEST|AGENT")
@click.option(
    "--to",
    "target",
    type=WordChoice(_TARGETS),
    required=True,
    help="Kind of policy.",
)
@click.option(
    "--any-resource",
    multiple=True,
    metavar="ACTION",
    help="Allow this action on every resource, if logs name none; may be repeated.",
)
@click.option("--terraform", is_flag=True, help="Print Terraform resources.")
@pass_settings
def export(
    settings: Settings,
    name: str,
    target: str,
    any_resource: tuple[str, ...],
    terraform: bool,
) -> None:
    """Print a profile as a policy of another system: never one that allows more.

    Clauses that the policy cannot contain are listed on standard error. A policy that
    exceeds the size limit of the target is refused. AssumeRole, PassRole and writes of
    IAM are left out unless the profile is signed.
    """
    from answerable.usecases.baseline import export_policies as flow

    if not _DIGEST.fullmatch(name):
        name = _parse_agent(name)
    with open_session(settings) as session:
        document = flow.export_policy(
            session.store, name, target, now=session.now, any_resource=any_resource
        )
    print_policies(document, settings, terraform=terraform)


def _parse_agent(text: str) -> "AgentId":
    """Convert an agent id or the name of a declared agent to an id."""
    from answerable.model.ids import AgentId

    return AgentId(text if text.startswith("agent:") else f"agent:declared/{text}")
