"""Parse Google Cloud credential files: keys, user logins, workload federation.

Source: https://cloud.google.com/docs/authentication/application-default-credentials
"""

from dataclasses import dataclass

from answerable.connectors.formats.credential_locations import NamedText
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.platform_identity import (
    PlatformIdentity,
    build_google_account_identity,
    build_workload_pool_identity,
)
from answerable.connectors.formats.redaction import redact_name
from answerable.model.credential import CredentialLifetime

_AUDIENCE = "//iam.googleapis.com/"
_TYPES = {
    "service_account": ("private_key", CredentialLifetime.STATIC),
    "authorized_user": ("refresh_token", CredentialLifetime.STATIC),
    "external_account": ("", CredentialLifetime.FEDERATED),
}


@dataclass(frozen=True, slots=True)
class GoogleCredentialFile:
    """Parsed credential file.

    Attributes:
        account: E-mail of its account, empty if not stated.
        project: Project, may be empty.
        lifetime: Lifetime class of its credential.
        secret: Node of its secret, None for none.
        identity: Identity it proves, None if not stated.
    """

    account: str
    project: str
    lifetime: CredentialLifetime
    secret: NamedText | None
    identity: PlatformIdentity | None


def parse_google_file(data: bytes, place: str) -> GoogleCredentialFile:
    """Parse a Google credential file: service account, user or workload identity.

    Raises:
        ParseError: The document is not JSON.
    """
    root = parse_document(data, DocumentFormat.JSON, place).root
    account = root.text_at("client_email") or root.text_at("account")
    impersonation = root.text_at("service_account_impersonation_url")
    if impersonation:
        account = impersonation.rpartition("/")[2].partition(":")[0]
    project = root.text_at("project_id")
    name, lifetime = _TYPES.get(root.text_at("type"), ("", CredentialLifetime.UNKNOWN))
    secret = root.text_at(name) if name else ""
    identity: PlatformIdentity | None = None
    if "@" in account:
        identity = build_google_account_identity(
            account, redact_name(project) if project else ""
        )
    elif root.text_at("audience").startswith(_AUDIENCE):
        identity = build_workload_pool_identity(
            root.text_at("audience")[len(_AUDIENCE) :]
        )
    return GoogleCredentialFile(
        account=account,
        project=redact_name(project) if project else "",
        lifetime=lifetime,
        secret=NamedText(name, f"/{name}", secret) if secret else None,
        identity=identity,
    )
