"""`baseline`: learn what an agent does, sign it and enforce it."""

import time

import click

from answerable.cli.agent_names import parse_agent_name
from answerable.cli.commands.baseline_policies import DIGEST, check, export
from answerable.cli.commands.serve import find_state_folder
from answerable.cli.engine import engine_option, use_engine
from answerable.cli.lake import LakeSession, lake_option
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

_MAX_LIFE = 90 * 86_400 * 10**9
_STAGES = ("shadow", "enforce", "off")


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
    """Learn, sign and enforce the usual behavior of an agent, from its records.

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
@engine_option
@lake_option
@pass_settings
def learn(
    settings: Settings,
    agent: str,
    server: str,
    identity: str | None,
    since: str,
    cloud: bool,
    engine: str,
    lake: str,
) -> None:
    """Learn a profile of AGENT for each server and identity, without enforcing it.

    Runs with denied calls, or with calls that wait for approval, are omitted. With
    --cloud, the profile is learned from the events of --identity in ingested logs.
    """
    from answerable.usecases.baseline import manage_profiles

    if cloud:
        if server or not identity:
            raise UsageError(
                "--cloud requires --identity, and no --server",
                "name the identity as events do, e.g. the ARN of a role",
            )
        _learn_cloud_profile(settings, agent, identity, since, lake, engine)
        return
    if lake:
        raise UsageError(
            "--lake requires --cloud",
            "--lake has only events of identities, and no recorded calls of an agent",
        )
    with (
        open_session(settings, writes=True) as session,
        use_engine(session, engine),
    ):
        document = manage_profiles.learn_profiles(
            session.store,
            parse_agent_name(agent),
            server=server,
            identity=identity,
            since=parse_time(since, session.now, "--since"),
            now=session.now,
        )
    print_and_exit(document, settings)


def _learn_cloud_profile(
    settings: Settings, agent: str, identity: str, since: str, lake: str, engine: str
) -> None:
    """Learn a profile of an agent from the platform events of an identity."""
    from answerable.usecases.baseline import learn_cloud_profile as flow

    with open_session(settings, writes=True) as session:
        start = parse_time(since, session.now, "--since")
        more = LakeSession(session, lake, since=start)
        with use_engine(session, engine):
            document = flow.learn_cloud_profile(
                session.store,
                parse_agent_name(agent),
                identity,
                since=start,
                now=session.now,
            )
    print_and_exit(more.describe(document), settings, note=more.note)


@baseline.command(cls=AppCommand, short_help="Show a profile with all entries.")
@click.argument("name", metavar="DIGEST|AGENT")
@pass_settings
def show(settings: Settings, name: str) -> None:
    """Show the entries of a profile, layer by layer, with their confidence.

    For an AGENT, shows the signed profiles, or the newest profiles if none is signed.
    """
    from answerable.usecases.baseline import manage_profiles

    if not DIGEST.fullmatch(name):
        name = parse_agent_name(name)
    with open_session(settings) as session:
        document = manage_profiles.show_profile(session.store, name, now=session.now)
    print_and_exit(document, settings)


@baseline.command(
    cls=AppCommand, short_help="Show the changes that a signature would make."
)
@click.argument("new", metavar="DIGEST")
@click.option(
    "--old",
    default="",
    metavar="DIGEST",
    help="Profile to use instead of the signed profile.",
)
@pass_settings
def diff(settings: Settings, new: str, old: str) -> None:
    """Compare a profile with the signed profile; most severe changes first."""
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
    `baseline sign`. If the old name was approved, the new name must also be approved.
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
            session.store, parse_agent_name(agent), names, pinned, now=session.now
        )
    print_and_exit(document, settings)


@baseline.command(cls=AppCommand, short_help="Sign a profile and set its stage.")
@click.argument("name", metavar="DIGEST")
@click.option(
    "--stage",
    type=WordChoice(_STAGES),
    required=True,
    help="shadow records the calls that enforce would block; off withdraws the "
    "profile.",
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
    """Sign a profile. Only the attested owner of its agent may sign; an agent may not.

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
    help="Profile to use instead of the signed profile.",
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
            parse_agent_name(agent),
            profile,
            since=parse_time(since, session.now, "--since"),
            now=session.now,
        )
    print_and_exit(document, settings)


baseline.add_command(check)
baseline.add_command(export)
