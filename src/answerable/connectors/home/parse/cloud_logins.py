"""Parse login files of the Google Cloud, Azure and Kubernetes command-line tools."""

from dataclasses import replace

from answerable.connectors.formats.ambient_credentials import (
    AmbientFacts,
    AmbientFileSource,
)
from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    decode_text,
    parse_document,
)
from answerable.connectors.formats.google_credential_file import parse_google_file
from answerable.connectors.formats.ini_parser import parse_ini
from answerable.connectors.formats.platform_identity import (
    build_entra_identity,
    build_google_account_identity,
)
from answerable.model.credential import CredentialLifetime


def parse_gcloud_adc(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Parse application default credentials (Google Cloud: "How ADC works")."""
    read = parse_google_file(data, source.place)
    credential = source.build_credential(
        "gcloud-adc",
        read.account or "application default credentials",
        pointer=read.secret.pointer if read.secret else "",
        value=read.secret.value if read.secret else "",
        lifetime=read.lifetime,
        account=read.project,
    )
    facts.credentials.append(credential)
    if read.identity is not None:
        key = read.identity.kind == "gcp-service-account"
        how = "service-account-key" if key else "google-login"
        facts.add_identity_link(credential, read.identity, how, source)


def parse_gcloud_active_config(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Parse `active_config`: the name of the active gcloud configuration."""
    name = decode_text(data, source.place).strip()
    facts.gcloud_configuration = name or facts.gcloud_configuration


def parse_gcloud_configuration(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Parse a gcloud configuration for the account that is signed in.

    gcloud uses the active configuration ("Managing gcloud CLI configurations"); every
    other must be named.
    """
    name = source.place.rpartition("/")[2].removeprefix("config_")
    for setting in parse_ini(data.decode("utf-8", "replace")):
        if setting.section != "core" or setting.name != "account" or not setting.value:
            continue
        credential = source.build_credential(
            "gcloud-login", setting.value, pointer="/core/account"
        )
        active = name == facts.gcloud_configuration
        if active and not setting.value.endswith(".gserviceaccount.com"):
            facts.handles.append(setting.value)
        facts.credentials.append(replace(credential, explicit_only=not active))
        if "@" in setting.value:
            identity = build_google_account_identity(setting.value)
            facts.add_identity_link(credential, identity, "google-login", source)


def parse_azure_profile(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Parse `azureProfile.json`: one credential per signed-in account.

    The account of the default subscription is used (Azure CLI,
    "Manage Azure subscriptions").
    """
    root = parse_document(data, DocumentFormat.JSON, source.place).root
    users: dict[str, DocumentNode] = {}
    subscriptions = root.get("subscriptions")
    for subscription in subscriptions.items() if subscriptions else ():
        user = subscription.descend("user", "name")
        if user is None or not user.text():
            continue
        users.setdefault(user.text(), subscription)
        if subscription.flag("isDefault"):
            facts.azure_account = user.text()
    for name, subscription in users.items():
        user = subscription.get("user") or subscription
        credential = source.build_credential(
            "azure-login",
            name,
            pointer=f"{user.pointer}/name",
            lifetime=CredentialLifetime.SHORT_LIVED,
        )
        other = bool(facts.azure_account) and name != facts.azure_account
        facts.credentials.append(replace(credential, explicit_only=other))
        service = user.text_at("type") == "servicePrincipal"
        if not other and not service:
            facts.handles.append(name)
        identity = build_entra_identity(name, service=service)
        facts.add_identity_link(credential, identity, "azure-login", source)


def parse_azure_principals(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Parse `service_principal_entries.json`: client secrets of service principals."""
    root = parse_document(data, DocumentFormat.JSON, source.place).root
    for entry in root.items():
        secret = entry.get("client_secret", "certificate", "servicePrincipalKey")
        if secret is None or not secret.text():
            continue
        name = entry.text_at("client_id", "servicePrincipalId")
        credential = source.build_credential(
            "client-secret",
            name or "service principal",
            pointer=secret.pointer,
            value=secret.text(),
        )
        chosen = bool(name) and name == facts.azure_account
        facts.credentials.append(replace(credential, explicit_only=not chosen))
        if name:
            identity = build_entra_identity(name, service=True)
            facts.add_identity_link(credential, identity, "client-secret", source)
