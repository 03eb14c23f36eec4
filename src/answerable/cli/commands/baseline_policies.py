"""`baseline check`, `baseline export`: profiles and the policies of platforms."""

import re

import click

from answerable.cli.agent_names import parse_agent_name
from answerable.cli.exported_policies import print_policies
from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, WordChoice, pass_settings
from answerable.model.errors import UsageError
from answerable.presentation.time_input import parse_time

_DEFAULT_SINCE = "7d"
DIGEST = re.compile(r"[0-9a-f]{4,64}")
_TARGETS = (
    "aws-session-policy",
    "aws-policy",
    "aws-boundary",
    "aws-permission-set",
    "gcp",
    "azure",
    "k8s-rbac",
    "cedar",
    "mcp-allowlist",
)


@click.command(cls=AppCommand, short_help="Check cloud events for new behavior.")
@click.argument("identity", metavar="[IDENTITY]", default="")
@click.option(
    "--since",
    default=None,
    metavar="T",
    help="Only events since this time.  [default: 7d]",
)
@click.option(
    "--deployed",
    is_flag=True,
    help="Compare permissions in force with the signed profiles instead.",
)
@click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Gateway configuration, for --deployed.",
)
@pass_settings
def check(
    settings: Settings, identity: str, since: str | None, deployed: bool, config: str
) -> None:
    """List recent actions of IDENTITY that it had not used in the 90 days before.

    Reads the ingested events of platforms (`ingest cloudtrail:PATH`). The exit code is
    3 if the log ends before --since.

    With --deployed, lists the differences between the permissions of the newest scan
    and the signed profiles: all profiles, or the profiles of IDENTITY, which may also be
    an agent. The exit code is 1 if they differ, and 3 if permissions are not known.
    """
    if deployed:
        if since is not None:
            raise UsageError(
                "--since does not go with --deployed, which reads no events",
                "omit one of them",
            )
        _check_deployed(settings, identity, config)
        return
    from answerable.usecases.baseline import check_events as flow

    if not identity:
        raise UsageError(
            "IDENTITY is missing",
            "name an identity as events do, e.g. the ARN of a role; or compare signed "
            "profiles: answerable baseline check --deployed",
        )
    if config:
        raise UsageError(
            "--config requires --deployed", "answerable baseline check --help"
        )
    with open_session(settings) as session:
        document = flow.check_identity_events(
            session.store,
            identity,
            since=parse_time(since or _DEFAULT_SINCE, session.now, "--since"),
            now=session.now,
        )
    print_and_exit(document, settings)


def _check_deployed(settings: Settings, name: str, config: str) -> None:
    """Compare permissions in force with signed profiles.

    Args:
        name: Agent or identity; empty for all.
        config: File of the gateway configuration; empty for none.
    """
    from answerable.usecases.baseline import check_deployed as flow

    reading = None
    if config:
        from answerable.cli.commands.token_service_rules import read_valid_config

        reading = read_valid_config(config).config
    is_identity = not name or ":" in name
    with open_session(settings) as session, progress_bar(settings) as progress:
        document = flow.check_deployed(
            session.store,
            session.load_inventory(progress),
            name if is_identity else parse_agent_name(name),
            now=session.now,
            config=reading,
        )
    print_and_exit(document, settings)


@click.command(cls=AppCommand, short_help="Export a profile as a policy.")
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
    """Print a profile as a policy of another system that never allows more.

    Clauses that the policy cannot contain are listed on standard error. A policy that
    exceeds the size limit of the target is refused. AssumeRole, PassRole and writes of
    IAM are omitted unless the profile is signed.
    """
    from answerable.usecases.baseline import export_policies as flow

    if not DIGEST.fullmatch(name):
        name = parse_agent_name(name)
    with open_session(settings) as session:
        document = flow.export_policy(
            session.store, name, target, now=session.now, any_resource=any_resource
        )
    print_policies(document, settings, terraform=terraform)
