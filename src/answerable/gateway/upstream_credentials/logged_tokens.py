"""Compute the digest of a token as its platform logs it.

GitHub's audit log has the SHA-256 of the token of each call (GitHub Docs, "Identifying
audit log events performed by an access token"). Its tokens contain at least 178 random
bits, so the digest cannot be guessed (GitHub Blog, "Behind GitHub's new authentication
token formats"). The digest joins a call through the gateway with GitHub's record of it.
"""

import hashlib
import re

_GITHUB_TOKEN = re.compile(r"gh[opsur]_[A-Za-z0-9]{36,251}|github_pat_\w{36,244}")


def hash_logged_token(secret: str) -> str:
    """Hash a token of a platform that logs this hash; empty for any other secret."""
    if not _GITHUB_TOKEN.fullmatch(secret):
        return ""
    return hashlib.sha256(secret.encode()).hexdigest()
