"""Format a credential as its client reads it from standard output."""

import json
import time
from collections.abc import Mapping

from answerable.server.agent_credentials.credential_cache import CachedCredential


def format_expiry(nanoseconds: int) -> str:
    """Format the expiry of a credential, RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(nanoseconds // 10**9))


def format_process_credentials(credential: CachedCredential) -> str:
    """Format the output of a `credential_process`.

    Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
    """
    fields = credential.fields
    return json.dumps(
        {
            "Version": 1,
            "AccessKeyId": fields["AccessKeyId"],
            "SecretAccessKey": fields["SecretAccessKey"],
            "SessionToken": fields["SessionToken"],
            "Expiration": format_expiry(credential.expires),
        }
    )


def format_exec_credential(credential: CachedCredential) -> str:
    """Format the `ExecCredential` that kubectl reads.

    Source: Kubernetes documentation, "Authenticating", client-go credential plugins.
    """
    return json.dumps(
        {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {
                "token": credential.fields["token"],
                "expirationTimestamp": format_expiry(credential.expires),
            },
        }
    )


def parse_git_request(text: str) -> Mapping[str, str]:
    """Parse the attributes that git writes to a credential helper.

    Source: git documentation, git-credential, "INPUT/OUTPUT FORMAT".
    """
    pairs = (line.partition("=") for line in text.splitlines() if line)
    return {name: value for name, _, value in pairs}


def format_git_credential(credential: CachedCredential) -> str:
    """Format the answer of a git credential helper to `get`."""
    lines = (
        "username=x-access-token",
        f"password={credential.fields['token']}",
        f"password_expiry_utc={credential.expires // 10**9}",
    )
    return "".join(f"{line}\n" for line in lines)
