"""Addresses at which clients of other token services look for our endpoints.

Azure's SDKs are told a host and a tenant, ask nobody for metadata, and write the rest of
the address themselves. The tenant says nothing here: who asks is in the assertion.
"""

import re

# What those SDKs take for a tenant.
_AZURE = re.compile(r"/[A-Za-z0-9.-]{1,128}/oauth2/v2\.0/token")


def usual_path(path: str) -> str:
    """Give the path of the endpoint that a path means: itself, but for a dialect's."""
    return "/token" if _AZURE.fullmatch(path) else path
