"""Issue an installation token of a GitHub App, narrowed to repositories and permissions.

Source: GitHub REST API, "Create an installation access token for an app": the token
expires after one hour; `repository_ids`, `repositories` and `permissions` narrow it.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

import msgspec

from answerable.connectors.formats.timestamps import parse_instant
from answerable.connectors.github.api_client import (
    CallFailed,
    GithubApiClient,
    parse_api_url,
)
from answerable.connectors.github.credentials import build_app_jwt, load_app_signer
from answerable.model.credential_policy import CredentialPolicy, IssuedCredential
from answerable.model.errors import EnvironmentFailure
from answerable.model.ids import build_token_credential_id

_NARROWING = ("repositories", "repository_ids", "permissions")


class _NarrowedTokenAnswer(msgspec.Struct):
    """Installation token with its expiry."""

    token: str
    expires_at: str


def issue_installation_token(policy: CredentialPolicy) -> IssuedCredential:
    """Issue an installation token for an agent.

    Raises:
        EnvironmentFailure: The key cannot be read, or GitHub refuses.
    """
    wanted = cast("Mapping[str, object]", json.loads(policy.document))
    text = {name: str(wanted[name]) for name in ("app_id", "installation_id")}
    client = GithubApiClient(parse_api_url(str(wanted.get("api", ""))), lambda *_: None)
    sign = load_app_signer(str(wanted["private_key_file"]))
    proof = f"Bearer {build_app_jwt(text['app_id'], sign, int(time.time()))}"
    body = {name: wanted[name] for name in _NARROWING if name in wanted}
    target = f"{client.base_path}/app/installations/{text['installation_id']}"
    try:
        made = client.call(
            "POST", f"{target}/access_tokens", msgspec.json.encode(body), proof
        )
        why = f"HTTP status {made.status}"
        if made.status == HTTPStatus.CREATED:
            return _build_credential(
                msgspec.json.decode(made.body, type=_NarrowedTokenAnswer), text
            )
    except CallFailed as failed:
        why = failed.what
    except msgspec.DecodeError:
        why = "the response has an unexpected format"
    finally:
        client.close()
    raise EnvironmentFailure(
        f"GitHub refused an installation token: {why}",
        "check the installation, its repositories and its permissions",
    )


def _build_credential(
    answer: _NarrowedTokenAnswer, named: Mapping[str, str]
) -> IssuedCredential:
    """Build the credential; GitHub's audit log names a token by its SHA-256."""
    digest = hashlib.sha256(answer.token.encode()).digest()
    return IssuedCredential(
        fields={"token": answer.token},
        id=build_token_credential_id(digest),
        identity=f"github:app/{named['app_id']}",
        expires=parse_instant(answer.expires_at),
        method="github:CreateInstallationAccessToken",
        parent="",
        notes=("the token can access every branch and path of its repositories",),
    )
