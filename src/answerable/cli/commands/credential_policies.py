"""`credential-policies`: sign, end and list the credentials that agents get."""

import sys
import time
from pathlib import Path

import click

from answerable.cli.agent_names import parse_agent_name
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

PLATFORMS = ("aws", "kubernetes", "github")
STARTER_NAMES = ("metadata", "no-identity")
_MAX_BYTES = 64 << 10  # of a policy file

_platform_option = click.option(
    "--for",
    "platform",
    type=WordChoice(PLATFORMS),
    required=True,
    help="Platform of the credential.",
)


class _CredentialPoliciesGroup(AppGroup):
    sections = (("Commands", ("sign", "end", "list")),)


@click.group(
    "credential-policies",
    cls=_CredentialPoliciesGroup,
    short_help="Signed policies for the credentials of agents.",
)
def credential_policies() -> None:
    """Sign, end and list the credential policies of agents.

    A credential policy defines the short-lived credential that an agent gets from `aws
    exec`, `aws credential-process`, `kubectl-credential` and `git-credential`.
    """


@credential_policies.command(cls=AppCommand, short_help="Sign the policy of an agent.")
@click.argument("agent", metavar="AGENT")
@_platform_option
@click.option(
    "--policy",
    "file",
    metavar="FILE",
    default="",
    help="Session policy, or the narrowing of another platform, as JSON.",
)
@click.option(
    "--starter",
    default="",
    type=WordChoice(STARTER_NAMES),
    help="Starter policy of AWS, instead of --policy.",
)
@click.option(
    "--profile",
    metavar="NAME",
    default="",
    help="AWS profile to narrow, if not the default.",
)
@click.option("--role", metavar="ARN", default="", help="AWS role to assume.")
@click.option(
    "--duration",
    metavar="SPAN",
    default="30m",
    show_default=True,
    help="Lifetime of each credential.",
)
@click.option(
    "--lifetime",
    metavar="SPAN",
    default="90d",
    show_default=True,
    help="Validity of the signature.",
)
@add_key_options
@pass_settings
def sign(
    settings: Settings,
    agent: str,
    platform: str,
    file: str,
    starter: str,
    profile: str,
    role: str,
    duration: str,
    lifetime: str,
    key: str,
    passphrase_file: str,
) -> None:
    """Sign which credential AGENT gets on a platform, narrowed by a policy.

    The policy replaces the earlier policy of the same agent and platform within a
    second. Only the attested owner may sign; an agent may not.
    """
    from answerable.model.credential_policy import MAX_DURATION, MAX_POLICY_LIFETIME
    from answerable.presentation.time_input import parse_span
    from answerable.usecases.federation.credential_policies import (
        build_policy_draft,
        sign_credential_policy,
    )

    require_human(settings)
    if bool(file) == bool(starter) or (starter and platform != "aws"):
        raise UsageError(
            "name one policy: --policy FILE, or --starter NAME for aws",
            f"starters: {', '.join(STARTER_NAMES)}",
        )
    draft = build_policy_draft(
        parse_agent_name(agent),
        platform,
        _read_policy(file, starter),
        profile=profile,
        role=role,
        duration=parse_span(duration, "--duration", MAX_DURATION * 10**9) // 10**9,
    )
    lasting = parse_span(lifetime, "--lifetime", MAX_POLICY_LIFETIME)
    with open_session(settings, writes=True) as session:
        signer = load_signer(key, passphrase_file)
        document = sign_credential_policy(
            session.store, draft, signer, lifetime=lasting, now=time.time_ns()
        )
    _print_limits(document.items, settings)
    print_and_exit(document, settings)


@credential_policies.command(cls=AppCommand, short_help="End the policy of an agent.")
@click.argument("agent", metavar="AGENT")
@_platform_option
@add_key_options
@pass_settings
def end(
    settings: Settings, agent: str, platform: str, key: str, passphrase_file: str
) -> None:
    """End the credential policy of AGENT; AGENT gets no further credential.

    Credentials that were issued earlier stay valid until they expire; `kill` lists
    them.
    """
    from answerable.model.credential_policy import (
        DEFAULT_DURATION,
        MAX_POLICY_LIFETIME,
    )
    from answerable.usecases.federation.credential_policies import (
        build_policy_draft,
        sign_credential_policy,
    )

    require_human(settings)
    draft = build_policy_draft(
        parse_agent_name(agent),
        platform,
        "",
        profile="",
        role="",
        duration=DEFAULT_DURATION,
    )
    with open_session(settings, writes=True) as session:
        signer = load_signer(key, passphrase_file)
        document = sign_credential_policy(
            session.store,
            draft,
            signer,
            lifetime=MAX_POLICY_LIFETIME,
            now=time.time_ns(),
        )
    print_and_exit(document, settings)


@credential_policies.command("list", cls=AppCommand, short_help="List the policies.")
@pass_settings
def list_policies(settings: Settings) -> None:
    """List the credential policies in force, and the access that each does not limit."""
    from answerable.usecases.federation import credential_policies as flow

    with open_session(settings) as session:
        document = flow.list_credential_policies(session.store, now=session.now)
    print_and_exit(document, settings)


def _read_policy(file: str, starter: str) -> str:
    """Read the policy document that a person signs."""
    from answerable.connectors.user_path import expand_user_path
    from answerable.federation.starter_policies import get_starter_policy

    if starter:
        return get_starter_policy(starter)
    path: Path = expand_user_path(file)
    try:
        with path.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or "not UTF-8"
        raise UsageError(
            f"cannot read {file} ({why})",
            "name a readable file of UTF-8 text with the policy",
        ) from None
    if len(data) > _MAX_BYTES or not text.strip():
        raise UsageError(
            f"{file} is empty, or larger than {_MAX_BYTES} bytes",
            "name a file that contains one policy as JSON",
        )
    return text


def _print_limits(items: object, settings: Settings) -> None:
    """Print what the signed policy does not hold, to standard error."""
    from answerable.presentation.text import sanitize

    if settings.quiet:
        return
    for item in items if isinstance(items, list) else ():
        for line in item["not_held"]:
            sys.stderr.write(sanitize(f"not held: {line}") + "\n")
