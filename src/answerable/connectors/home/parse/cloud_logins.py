"""Google Cloud, Azure and Kubernetes: what their command-line tools left behind."""

from collections.abc import Iterator

from answerable.connectors.formats.document import Format, parse_document
from answerable.connectors.formats.ini import parse_ini
from answerable.connectors.formats.node import Node
from answerable.connectors.formats.redaction import show_name
from answerable.connectors.home.parse.ambient import Ambient, Source
from answerable.model.credential import Credential, Lifetime
from answerable.model.identity import Identity
from answerable.model.ids import IdentityId

CONTEXTS_LIMIT = 500


def parse_gcloud_adc(data: bytes, source: Source, into: Ambient) -> None:
    """Read application default credentials (Google Cloud: "How ADC works")."""
    root = parse_document(data, Format.JSON, source.place).root
    email = root.text_at("client_email")
    impersonation = root.text_at("service_account_impersonation_url")
    if impersonation:
        email = impersonation.rpartition("/")[2].partition(":")[0]
    secret_name, lifetime = {
        "service_account": ("private_key", Lifetime.STATIC),
        "authorized_user": ("refresh_token", Lifetime.STATIC),
        "external_account": ("", Lifetime.FEDERATED),
    }.get(root.text_at("type"), ("", Lifetime.UNKNOWN))
    credential = source.credential(
        "gcloud-adc",
        email or root.text_at("account") or "application default credentials",
        pointer=f"/{secret_name}" if secret_name else "",
        value=root.text_at(secret_name) if secret_name else "",
        lifetime=lifetime,
        account=show_name(project) if (project := root.text_at("project_id")) else "",
    )
    into.credentials.append(credential)
    if email and "@" in email:
        _service_account(email, credential, source, into)


def _service_account(
    email: str, credential: Credential, source: Source, into: Ambient
) -> None:
    shown = show_name(email)
    identity = IdentityId(shown)
    into.links.append(source.link(credential.id, shown, "service-account-key"))
    into.identities.append(
        Identity(
            id=identity,
            kind="gcp-service-account",
            name=shown.partition("@")[0],
            account=credential.account,
            unique_id="",
            tags=(),
            created_at=0,
            last_used_at=0,
            seen=credential.seen,
        )
    )


def parse_gcloud_configuration(data: bytes, source: Source, into: Ambient) -> None:
    """Read a gcloud configuration: the account it is logged in as."""
    for setting in parse_ini(data.decode("utf-8", "replace")):
        if setting.section == "core" and setting.name == "account" and setting.value:
            into.credentials.append(
                source.credential(
                    "gcloud-login", setting.value, pointer="/core/account"
                )
            )


def parse_azure_profile(data: bytes, source: Source, into: Ambient) -> None:
    """Read `azureProfile.json`: who is logged in, one credential per account."""
    root = parse_document(data, Format.JSON, source.place).root
    seen: set[str] = set()
    subscriptions = root.get("subscriptions")
    for subscription in subscriptions.items() if subscriptions else ():
        user = subscription.at("user", "name")
        if user is None or not user.text() or user.text() in seen:
            continue
        seen.add(user.text())
        into.credentials.append(
            source.credential(
                "azure-login",
                user.text(),
                pointer=user.pointer,
                lifetime=Lifetime.SHORT_LIVED,
            )
        )


def parse_azure_principals(data: bytes, source: Source, into: Ambient) -> None:
    """Read `service_principal_entries.json`: client secrets of service principals."""
    root = parse_document(data, Format.JSON, source.place).root
    for entry in root.items():
        secret = entry.get("client_secret", "certificate", "servicePrincipalKey")
        if secret is not None and secret.text():
            into.credentials.append(
                source.credential(
                    "client-secret",
                    entry.text_at("client_id", "servicePrincipalId")
                    or "service principal",
                    pointer=secret.pointer,
                    value=secret.text(),
                )
            )


def parse_kubeconfig(data: bytes, source: Source, into: Ambient) -> None:
    """Read a kubeconfig: one credential per context, the current one first."""
    root = parse_document(data, Format.YAML, source.place).root
    users = {user.text_at("name"): user for user in _entries(root, "users")}
    current = root.text_at("current-context")
    contexts = list(_entries(root, "contexts"))[:CONTEXTS_LIMIT]
    contexts.sort(key=lambda context: context.text_at("name") != current)
    for context in contexts:
        name = context.text_at("name")
        user = users.get((context.at("context", "user") or root).text())
        if name and user is not None:
            into.credentials.append(_context(name, user, source))


def _context(name: str, user: Node, source: Source) -> Credential:
    details = user.get("user") or user
    for field, lifetime in (
        ("token", Lifetime.STATIC),
        ("client-key-data", Lifetime.STATIC),
        ("password", Lifetime.STATIC),
    ):
        value = details.get(field)
        if value is not None and value.text():
            return source.credential(
                "kubeconfig",
                name,
                pointer=value.pointer,
                value=value.text(),
                lifetime=lifetime,
            )
    obtained = details.get("exec", "auth-provider")
    static = details.get("client-key", "tokenFile") is not None
    return source.credential(
        "kubeconfig",
        name,
        pointer=(obtained or details).pointer,
        lifetime=Lifetime.SHORT_LIVED
        if obtained
        else (Lifetime.STATIC if static else Lifetime.UNKNOWN),
    )


def _entries(root: Node, name: str) -> Iterator[Node]:
    entries = root.get(name)
    return entries.items() if entries is not None else iter(())
