"""Build identities named in configuration files, in the format of their platform.

The files state the identity of a login; its permissions are at the platform and not
collected here.

Spellings: AWS ARNs; `aws-sso:ACCOUNT/PERMISSION_SET` for a permission set whose role in
the account (`AWSReservedSSO_NAME_*`, IAM Identity Center User Guide, "Referencing
permission sets in resource policies") is not collected; Google Cloud's principal
identifiers (IAM, "Principal identifiers"); `k8s:CLUSTER/...`; `github:user/LOGIN`.
"""

from dataclasses import dataclass

from answerable.connectors.formats.redaction import redact_name
from answerable.model.errors import IdError
from answerable.model.identity import Identity
from answerable.model.ids import Arn, IdentityId
from answerable.model.kubernetes_ids import build_user_subject, normalise_cluster_name
from answerable.model.provenance import FactProvenance

_GITHUB = "github.com"
_GOOGLE_SERVICE = ".gserviceaccount.com"


@dataclass(frozen=True, slots=True)
class PlatformIdentity:
    """Identity named in a file.

    Attributes:
        id: Platform spelling.
        kind: Identity kind.
        name: Short name.
        account: Its account, project or cluster, empty if not named.
    """

    id: str
    kind: str
    name: str
    account: str = ""

    def to_identity(self, provenance: FactProvenance) -> Identity:
        """Return the identity with its provenance."""
        return Identity(
            id=IdentityId(self.id),
            kind=self.kind,
            name=self.name,
            account=self.account,
            unique_id="",
            tags=(),
            created_at=0,
            last_used_at=0,
            seen=provenance,
        )


def build_aws_role_identity(text: str) -> PlatformIdentity | None:
    """Build the identity of an AWS role from its ARN; None for other ARNs."""
    try:
        arn = Arn.parse(text.strip())
    except IdError:
        return None
    kind, _, name = arn.resource.partition("/")
    if arn.service != "iam" or kind != "role" or len(text) > 2_048 or "$" in text:
        return None
    short = redact_name(name.rpartition("/")[2])
    return PlatformIdentity(str(arn), "aws-role", short, arn.account)


def build_permission_set_identity(account: str, name: str) -> PlatformIdentity:
    """Return a permission set in an account."""
    shown = redact_name(name)
    return PlatformIdentity(
        f"aws-sso:{account}/{shown}", "aws-permission-set", shown, account
    )


def build_aws_sso_identity(start_url: str) -> PlatformIdentity:
    """Return a sign-in at an access portal (`https://NAME.awsapps.com/start`)."""
    host = redact_name(start_url.partition("://")[2].partition("/")[0] or start_url)
    return PlatformIdentity(f"aws-sso:{host}", "aws-sso-session", host)


def build_aws_process_identity(login: str, profile: str) -> PlatformIdentity:
    """Build the identity behind a `credential_process`, known by its profile alone."""
    shown = redact_name(profile)
    return PlatformIdentity(
        f"aws-profile:{login}/{shown}", "aws-credential-process", shown
    )


def build_google_account_identity(email: str, project: str = "") -> PlatformIdentity:
    """Build the identity of a Google Cloud service account or user."""
    shown = redact_name(email)
    name, _, host = shown.partition("@")
    if host.endswith(_GOOGLE_SERVICE):
        project = project or host.partition(".")[0]
        return PlatformIdentity(shown, "gcp-service-account", name, project)
    return PlatformIdentity(f"user:{shown}", "gcp-user", name)


def build_workload_pool_identity(provider: str) -> PlatformIdentity | None:
    """Return the identities of a workload identity pool, by one of its providers.

    Args:
        provider: `projects/N/locations/global/workloadIdentityPools/P/providers/X`.
    """
    parts = provider.strip().strip("/").split("/")
    if len(parts) != 8 or parts[0] != "projects" or parts[4] != "workloadIdentityPools":
        return None
    pool = "/".join(redact_name(part) for part in parts[:6])
    return PlatformIdentity(
        f"principalSet://iam.googleapis.com/{pool}/*",
        "gcp-workload-pool",
        redact_name(parts[5]),
        redact_name(parts[1]),
    )


def build_kubernetes_user_identity(cluster: str, user: str) -> PlatformIdentity:
    """Build the identity of a cluster user, or of the service account it names."""
    named = normalise_cluster_name(redact_name(cluster))
    subject = build_user_subject(named, redact_name(user))
    return PlatformIdentity(str(subject), f"k8s-{subject.kind}", subject.name, named)


def build_github_user_identity(login: str, host: str = _GITHUB) -> PlatformIdentity:
    """Build the identity of a GitHub user, with the host unless it is github.com."""
    at = "" if host == _GITHUB else f"{redact_name(host)}/"
    return PlatformIdentity(
        f"github:{at}user/{redact_name(login).lower()}",
        "github-user",
        redact_name(login),
    )


def build_entra_identity(name: str, *, service: bool) -> PlatformIdentity:
    """Build the identity of a Microsoft Entra ID user or service principal."""
    kind = "app" if service else "user"
    shown = redact_name(name)
    return PlatformIdentity(f"entra:{kind}/{shown}", f"entra-{kind}", shown)
