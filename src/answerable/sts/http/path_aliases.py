"""Map path aliases for SDKs that expect the URLs of other token services.

Azure SDKs are configured with a host and a tenant and build the rest of the URL without
metadata. The tenant is ignored: the assertion identifies the client.
"""

import re

# Tenant syntax of those SDKs.
_AZURE = re.compile(r"/[A-Za-z0-9.-]{1,128}/oauth2/v2\.0/token")


def resolve_path_alias(path: str) -> str:
    """Resolve a path alias of another token service to our endpoint path."""
    return "/token" if _AZURE.fullmatch(path) else path
