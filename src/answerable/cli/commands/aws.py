"""`aws`: hand a narrowed AWS session to an agent, as a process credential or at start."""

import os
import re
from typing import TYPE_CHECKING

import click

from answerable.cli.settings import (
    AppCommand,
    AppGroup,
    Settings,
    find_store,
    pass_settings,
)

if TYPE_CHECKING:
    from answerable.model.credential_policy import CredentialPolicy, IssuedCredential
    from answerable.server.agent_credentials.credential_broker import (
        CredentialBroker,
        Issuer,
    )
    from answerable.server.agent_credentials.credential_cache import CachedCredential

_RUN = re.compile("[0-9A-Za-z_-]{1,40}")  # a run id, as an environment may name it
_RUN_VARIABLE = "ANSWERABLE_RUN"
# Set while the person's own credential is looked up, to detect a profile that leads back.
_LOOKUP_VARIABLE = "ANSWERABLE_CREDENTIAL_LOOKUP"
agent_option = click.option(
    "--agent", metavar="NAME", required=True, help="Agent that gets the credential."
)


class _AwsGroup(AppGroup):
    sections = (("Commands", ("credential-process", "exec")),)


@click.group("aws", cls=_AwsGroup, short_help="Narrowed AWS sessions for agents.")
def aws() -> None:
    """Give agents short-lived AWS sessions, narrowed by a signed policy.

    The session is issued from your own session: you need no server, and no new role.
    """


@aws.command(
    "credential-process", cls=AppCommand, short_help="Session for an SDK, as JSON."
)
@agent_option
@pass_settings
def credential_process(settings: Settings, agent: str) -> None:
    """Print the AWS session of an agent, as `credential_process` of a profile expects.

    Put this command into ~/.aws/config, in the profile that the agent uses:
    `credential_process = answerable aws credential-process --agent NAME`. Settings of
    AWS in the environment are ignored, since the agent could have set them.
    """
    from answerable.server.agent_credentials.credential_output import (
        format_process_credentials,
    )

    refuse_loop(agent)
    for name in [each for each in os.environ if each.startswith(("AWS_", "BOTO_"))]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    said = os.environ.get(_RUN_VARIABLE, "")
    said = said if _RUN.fullmatch(said) else ""
    broker = open_broker(settings, agent, "aws", _issue_aws, reported_run=said)
    before = broker.read_cached()
    credential = broker.get_credential()
    if before is None or before.id != credential.id:
        print_limits(settings, credential)
    click.echo(format_process_credentials(credential))


@aws.command(
    "exec",
    cls=AppCommand,
    short_help="Start an agent with a narrowed session.",
    context_settings={"allow_interspersed_args": False},
)
@agent_option
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND [ARGS...]")
@pass_settings
@click.pass_context
def exec_(
    ctx: click.Context, settings: Settings, agent: str, command: tuple[str, ...]
) -> None:
    """Start COMMAND with the AWS session of an agent, and exit with its exit code.

    COMMAND gets none of your AWS settings, only a loopback address that provides the
    session and renews it. `kill` stops the renewal within a second. COMMAND can still
    read the files of your user; the limits of the protection are printed at the start.
    """
    import secrets

    from answerable.presentation.text import sanitize
    from answerable.server.agent_credentials.agent_exec import (
        find_program,
        run_with_credentials,
    )

    refuse_loop(agent)
    program = find_program(command[0])  # before a session is issued for nothing
    run = secrets.token_hex(8)
    broker = open_broker(settings, agent, "aws", _issue_aws, run)
    credential = broker.get_credential()
    if not settings.quiet:
        click.echo(
            f"answerable: run {run} of {broker.agent}: {credential.id}", err=True
        )
    print_limits(settings, credential)
    ctx.exit(
        run_with_credentials(
            broker,
            (program, command),
            run,
            lambda line: click.echo(f"answerable: {sanitize(line)}", err=True),
        )
    )


def open_broker(
    settings: Settings,
    agent: str,
    platform: str,
    issue: "Issuer",
    run: str = "",
    reported_run: str = "",
) -> "CredentialBroker":
    """Open the broker of an agent's credential on a platform.

    Args:
        issue: Asks the platform for a credential.
        run: Run that this process starts.
        reported_run: Run as the environment names it.
    """
    from answerable.cli.agent_names import parse_agent_name
    from answerable.server.agent_credentials.credential_broker import (
        CredentialBroker,
        CredentialRequest,
    )
    from answerable.server.agent_credentials.credential_cache import find_cache_folder

    def issue_once(policy: "CredentialPolicy", run: str) -> "IssuedCredential":
        os.environ[_LOOKUP_VARIABLE] = policy.agent
        try:
            return issue(policy, run)
        finally:
            del os.environ[_LOOKUP_VARIABLE]

    root, _ = find_store(settings)
    request = CredentialRequest(
        root, parse_agent_name(agent), platform, run, reported_run
    )
    return CredentialBroker(request, find_cache_folder(), issue_once)


def _issue_aws(policy: "CredentialPolicy", run: str) -> "IssuedCredential":
    """Issue an AWS session; boto3 is imported here alone."""
    from answerable.connectors.boto3_import import require_boto3
    from answerable.services.federation.credential_issuance import (
        build_session_name,
        build_source_identity,
    )

    with require_boto3("a narrowed AWS session"):
        from answerable.connectors.aws_session_issuer import (
            SessionNames,
            issue_aws_session,
        )
    names = SessionNames(
        build_session_name(policy.agent, run), build_source_identity(policy.person)
    )
    return issue_aws_session(policy, names)


def refuse_loop(agent: str) -> None:
    """Refuse to issue a credential from one that we are about to issue."""
    from answerable.model.errors import UsageError

    if _LOOKUP_VARIABLE in os.environ:
        raise UsageError(
            f"your AWS settings use the credential of {agent} itself",
            "name your own profile or context in the policy: answerable "
            "credential-policies sign AGENT",
        )


def print_limits(settings: Settings, credential: "CachedCredential") -> None:
    """Print what the credential does not hold, to standard error."""
    from answerable.presentation.text import sanitize

    if settings.quiet:
        return
    for line in credential.notes:
        click.echo(sanitize(f"not held: {line}"), err=True)
