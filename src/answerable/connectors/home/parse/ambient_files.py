"""List the ambient credential files of a home, each with its parser."""

from collections.abc import Callable
from dataclasses import dataclass

from answerable.connectors.formats.ambient_credentials import (
    AmbientFacts,
    AmbientFileSource,
)
from answerable.connectors.formats.aws_profiles import (
    parse_aws_profiles,
    parse_sso_cache,
)
from answerable.connectors.formats.document_parser import decode_text
from answerable.connectors.formats.ini_parser import find_unclosed_section
from answerable.connectors.formats.kubeconfig import parse_kubeconfig
from answerable.connectors.home.parse.cloud_logins import (
    parse_azure_principals,
    parse_azure_profile,
    parse_gcloud_active_config,
    parse_gcloud_adc,
    parse_gcloud_configuration,
)
from answerable.connectors.home.parse.developer_tool_logins import (
    parse_docker_config,
    parse_gh_hosts,
    parse_git_credentials,
    parse_netrc_file,
    parse_npmrc,
    parse_private_key,
    parse_ssh_config,
    parse_token_file,
)
from answerable.connectors.home.parse.service_logins import (
    parse_pgpass,
    parse_pypirc,
    parse_terraform_credentials,
    parse_terraformrc,
)
from answerable.model.errors import ParseError

AmbientFileParser = Callable[[bytes, AmbientFileSource, AmbientFacts], None]


@dataclass(frozen=True, slots=True)
class AmbientFile:
    """Kind of file with ambient credentials.

    Attributes:
        description: Description of its content.
        path: Path or pattern under the home.
        parse: Its parser; raises ParseError.
    """

    description: str
    path: str
    parse: AmbientFileParser


def _parse_aws_file(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Parse an AWS config or credentials file; an unclosed section raises."""
    shared = source.place.rpartition("/")[2] == "credentials"
    text = decode_text(data, source.place)
    parse_aws_profiles(text, source, facts, shared=shared)
    line = find_unclosed_section(text)
    if line:  # what stands below it was taken for settings of the section above
        raise ParseError(
            f"line {line}: a section header has no closing `]` (expected `[profile "
            "NAME]`)",
            source.place,
        )


AMBIENT_FILES: tuple[AmbientFile, ...] = (
    AmbientFile("AWS access keys", ".aws/credentials", _parse_aws_file),
    AmbientFile("AWS profiles", ".aws/config", _parse_aws_file),
    AmbientFile("AWS sign-ins", ".aws/sso/cache/*.json", parse_sso_cache),
    AmbientFile("Kubernetes contexts", ".kube/config", parse_kubeconfig),
    AmbientFile(
        "Google application default credentials",
        ".config/gcloud/application_default_credentials.json",
        parse_gcloud_adc,
    ),
    AmbientFile(
        "gcloud active configuration",
        ".config/gcloud/active_config",
        parse_gcloud_active_config,
    ),
    AmbientFile(
        "gcloud logins",
        ".config/gcloud/configurations/config_*",
        parse_gcloud_configuration,
    ),
    AmbientFile("Azure logins", ".azure/azureProfile.json", parse_azure_profile),
    AmbientFile(
        "Azure service principals",
        ".azure/service_principal_entries.json",
        parse_azure_principals,
    ),
    AmbientFile("GitHub CLI logins", ".config/gh/hosts.yml", parse_gh_hosts),
    AmbientFile("Docker registries", ".docker/config.json", parse_docker_config),
    AmbientFile("npm registries", ".npmrc", parse_npmrc),
    AmbientFile("netrc machines", ".netrc", parse_netrc_file),
    AmbientFile("git logins", ".git-credentials", parse_git_credentials),
    AmbientFile("git logins", ".config/git/credentials", parse_git_credentials),
    AmbientFile("PostgreSQL passwords", ".pgpass", parse_pgpass),
    AmbientFile("Python package indexes", ".pypirc", parse_pypirc),
    AmbientFile(
        "Terraform hosts",
        ".terraform.d/credentials.tfrc.json",
        parse_terraform_credentials,
    ),
    AmbientFile("Terraform hosts", ".terraformrc", parse_terraformrc),
    AmbientFile("Vault token", ".vault-token", parse_token_file),
    AmbientFile("ssh private keys", ".ssh/id_*", parse_private_key),
    AmbientFile("ssh agent", ".ssh/config", parse_ssh_config),
)
