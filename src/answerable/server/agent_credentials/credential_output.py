"""Format a credential as its client reads it from standard output."""

import json
import time

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
