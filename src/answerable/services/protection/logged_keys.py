"""Ids by which logs name keys, derived from the keys themselves.

CloudTrail names an access key by its id. GitHub's audit log has the SHA-256 of a token
(docs.github.com, "Identifying audit log events performed by an access token"). Google
Cloud names a service account key by its id, which its JSON file has. The audit log of
Kubernetes has the `jti` of a service account's token. Logs of Okta, Anthropic and OpenAI
name keys by ids that the key does not contain.
"""

import base64
import binascii
import hashlib
import json
from typing import Any

from answerable.connectors.formats.secret_formats import classify_secret_format
from answerable.model.ids import (
    build_aws_credential_id,
    build_token_credential_id,
    is_access_key_id,
)

AWS_PARTNERS = frozenset({"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"})
_LOGS = {
    "cred:aws/": "cloudtrail",
    "cred:token/": "github-audit",
    "cred:gcp-key/": "gcp-audit",
    "cred:k8s-jti/": "k8s-audit",
}


def find_logged_key_id(secret: str) -> str:
    """Return the id by which logs name a key; empty where it does not follow from it."""
    if is_access_key_id(secret):
        return build_aws_credential_id(secret)
    kind = classify_secret_format(secret)
    if kind == "github-token":
        return build_token_credential_id(hashlib.sha256(secret.encode()).digest())
    if kind == "bearer-token":
        claims = _parse_json(_decode_base64url(secret.split(".")[1]))
        token = claims.get("jti")
        is_kubernetes = isinstance(claims.get("kubernetes.io"), dict)
        return f"cred:k8s-jti/{token}" if is_kubernetes and token else ""
    file = _parse_json(secret)
    names = ("project_id", "client_email", "private_key_id")
    project, account, number = (file.get(name) for name in names)
    if project and account and number:
        return (
            f"cred:gcp-key/projects/{project}/serviceAccounts/{account}/keys/{number}"
        )
    return ""


def get_log_of_key(credential: str) -> str:
    """Return the log that names a key by this id."""
    return next(log for prefix, log in _LOGS.items() if credential.startswith(prefix))


def describe_unlogged_key(name: str, secret: str | None) -> str:
    """Describe a key that no log names: its name and kind, without its value."""
    if secret is None:
        return f"{name} (not readable)"
    return f"{name} ({classify_secret_format(secret) or 'unknown kind'})"


def _decode_base64url(text: str) -> str:
    """Decode base64url without padding; empty where it is none."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return data.decode()
    except (binascii.Error, ValueError):
        return ""


def _parse_json(text: str) -> dict[str, Any]:
    """Parse a JSON object; empty where it is none."""
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
