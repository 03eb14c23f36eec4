"""Parse kubeconfig files: one credential per context."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.connectors.formats.ambient_credentials import (
    AmbientFacts,
    AmbientFileSource,
)
from answerable.connectors.formats.client_certificates import read_certificate_subject
from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.found_credential_facts import read_jwt_subject
from answerable.connectors.formats.platform_identity import (
    build_kubernetes_user_identity,
)
from answerable.model.credential import Credential, CredentialLifetime

CONTEXTS_LIMIT = 500


def parse_kubeconfig(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Parse a kubeconfig: one credential per context, the current one first.

    kubectl uses `current-context`; every other must be named with `--context`
    (Kubernetes, "Organizing Cluster Access Using kubeconfig Files").
    """
    root = parse_document(data, DocumentFormat.YAML, source.place).root
    users = {user.text_at("name"): user for user in _list_entries(root, "users")}
    current = root.text_at("current-context")
    contexts = list(_list_entries(root, "contexts"))[:CONTEXTS_LIMIT]
    contexts.sort(key=lambda context: context.text_at("name") != current)
    for context in contexts:
        name = context.text_at("name")
        user_name = (context.descend("context", "user") or root).text()
        user = users.get(user_name)
        if not name or user is None:
            continue
        credential, subject = _read_context(name, user, source)
        facts.credentials.append(replace(credential, explicit_only=name != current))
        facts.contexts[name] = credential.id
        cluster = (context.descend("context", "cluster") or root).text() or name
        identity = build_kubernetes_user_identity(cluster, subject or user_name)
        facts.add_identity_link(credential, identity, "kubeconfig", source)


def _read_context(
    name: str, user: DocumentNode, source: AmbientFileSource
) -> tuple[Credential, str]:
    """Return the credential of a context, and the user of its token or certificate."""
    details = user.get("user") or user
    for field, lifetime in (
        ("token", CredentialLifetime.STATIC),
        ("client-key-data", CredentialLifetime.STATIC),
        ("password", CredentialLifetime.STATIC),
    ):
        value = details.get(field)
        if value is not None and value.text():
            credential = source.build_credential(
                "kubeconfig",
                name,
                pointer=value.pointer,
                value=value.text(),
                lifetime=lifetime,
            )
            certificate = details.text_at("client-certificate-data")
            named = read_jwt_subject(value.text())
            return credential, named or read_certificate_subject(certificate)[0]
    obtained = details.get("exec", "auth-provider")
    static = details.get("client-key", "tokenFile") is not None
    credential = source.build_credential(
        "kubeconfig",
        name,
        pointer=(obtained or details).pointer,
        lifetime=CredentialLifetime.SHORT_LIVED
        if obtained
        else (CredentialLifetime.STATIC if static else CredentialLifetime.UNKNOWN),
    )
    return credential, ""


def _list_entries(root: DocumentNode, name: str) -> Iterator[DocumentNode]:
    """Yield the entries of a kubeconfig list (`clusters`, `users`, `contexts`)."""
    entries = root.get(name)
    return entries.items() if entries is not None else iter(())
