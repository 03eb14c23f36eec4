"""Parser of kubeconfig files: one credential per context."""

from collections.abc import Iterator
from dataclasses import replace

from answerable.connectors.formats.ambient_credentials import Ambient, Source
from answerable.connectors.formats.document_node import Node
from answerable.connectors.formats.document_parser import Format, parse_document
from answerable.connectors.formats.platform_identity import kubernetes_user
from answerable.connectors.formats.sighting_context import jwt_subject
from answerable.model.credential import Credential, Lifetime

CONTEXTS_LIMIT = 500


def parse_kubeconfig(data: bytes, source: Source, into: Ambient) -> None:
    """Parse a kubeconfig: one credential per context, the current one first.

    kubectl uses `current-context`; every other must be named with `--context`
    (Kubernetes, "Organizing Cluster Access Using kubeconfig Files").
    """
    root = parse_document(data, Format.YAML, source.place).root
    users = {user.text_at("name"): user for user in _entries(root, "users")}
    current = root.text_at("current-context")
    contexts = list(_entries(root, "contexts"))[:CONTEXTS_LIMIT]
    contexts.sort(key=lambda context: context.text_at("name") != current)
    for context in contexts:
        name = context.text_at("name")
        user_name = (context.at("context", "user") or root).text()
        user = users.get(user_name)
        if not name or user is None:
            continue
        credential, subject = _context(name, user, source)
        into.credentials.append(replace(credential, explicit_only=name != current))
        into.contexts[name] = credential.id
        cluster = (context.at("context", "cluster") or root).text() or name
        identity = kubernetes_user(cluster, subject or user_name)
        into.prove(credential, identity, "kubeconfig", source)


def _context(name: str, user: Node, source: Source) -> tuple[Credential, str]:
    """Return the credential of a context, and the subject of its token."""
    details = user.get("user") or user
    for field, lifetime in (
        ("token", Lifetime.STATIC),
        ("client-key-data", Lifetime.STATIC),
        ("password", Lifetime.STATIC),
    ):
        value = details.get(field)
        if value is not None and value.text():
            credential = source.credential(
                "kubeconfig",
                name,
                pointer=value.pointer,
                value=value.text(),
                lifetime=lifetime,
            )
            return credential, jwt_subject(value.text())
    obtained = details.get("exec", "auth-provider")
    static = details.get("client-key", "tokenFile") is not None
    credential = source.credential(
        "kubeconfig",
        name,
        pointer=(obtained or details).pointer,
        lifetime=Lifetime.SHORT_LIVED
        if obtained
        else (Lifetime.STATIC if static else Lifetime.UNKNOWN),
    )
    return credential, ""


def _entries(root: Node, name: str) -> Iterator[Node]:
    entries = root.get(name)
    return entries.items() if entries is not None else iter(())
