"""`kubectl-credential` and `git-credential`: tokens of an agent for two clients."""

import sys
from typing import TYPE_CHECKING

import click

from answerable.cli.commands.aws import (
    agent_option,
    open_broker,
    print_limits,
    refuse_loop,
)
from answerable.cli.settings import AppCommand, Settings, WordChoice, pass_settings

if TYPE_CHECKING:
    from answerable.model.credential_policy import CredentialPolicy, IssuedCredential

_MAX_REQUEST = 64 << 10  # characters that git writes
_GITHUB = "github.com"


@click.command(
    "kubectl-credential", cls=AppCommand, short_help="Kubernetes token, for kubectl."
)
@agent_option
@pass_settings
def kubectl_credential(settings: Settings, agent: str) -> None:
    """Print a token of the service account of an agent, as an `ExecCredential`.

    Name the command under `users[].user.exec` of the kubeconfig that the agent uses. The
    token is requested with the context of ~/.kube/config that the signed policy names.
    """
    from answerable.server.agent_credentials.credential_output import (
        format_exec_credential,
    )

    refuse_loop(agent)
    broker = open_broker(settings, agent, "kubernetes", _issue_kubernetes)
    before = broker.read_cached()
    credential = broker.get_credential()
    if before is None or before.id != credential.id:
        print_limits(settings, credential)
    click.echo(format_exec_credential(credential))


@click.command("git-credential", cls=AppCommand, short_help="GitHub token, for git.")
@agent_option
@click.argument("operation", type=WordChoice(("get", "store", "erase")))
@pass_settings
def git_credential(settings: Settings, agent: str, operation: str) -> None:
    """Give git an installation token of a GitHub App, for an agent.

    Set this command as `credential.https://github.com.helper` of git. `store` and
    `erase` have no effect, and requests for other hosts get an empty response.
    """
    from answerable.server.agent_credentials.credential_output import (
        format_git_credential,
        parse_git_request,
    )

    asked = parse_git_request(sys.stdin.read(_MAX_REQUEST))
    if operation != "get" or asked.get("protocol") != "https":
        return
    if asked.get("host", "").lower() != _GITHUB:
        return
    refuse_loop(agent)
    credential = open_broker(settings, agent, "github", _issue_github).get_credential()
    click.echo(format_git_credential(credential), nl=False)


def _issue_kubernetes(policy: "CredentialPolicy", run: str) -> "IssuedCredential":
    """Issue a token of a service account; the client library is imported here alone."""
    from answerable.model.errors import EnvironmentFailure

    del run  # a token has no name
    try:
        from answerable.connectors.kubernetes_token_issuer import (
            issue_service_account_token,
        )
    except ModuleNotFoundError as error:
        if error.name != "kubernetes":
            raise
        raise EnvironmentFailure(
            "a Kubernetes token needs the client library, which is not installed",
            "pip install 'answerable[k8s]'",
        ) from None
    return issue_service_account_token(policy)


def _issue_github(policy: "CredentialPolicy", run: str) -> "IssuedCredential":
    """Issue an installation token."""
    from answerable.connectors.github.installation_tokens import (
        issue_installation_token,
    )

    del run  # a token has no name
    return issue_installation_token(policy)
