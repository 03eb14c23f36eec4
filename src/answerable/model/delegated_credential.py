"""Ids and facts of an impersonation that one audit record contains.

Kubernetes and Google Cloud record the impersonated identity together with the ones that
impersonate it. The credential of the acting identity is then not a secret: its id is a
digest of the path, so that equal paths have equal ids.
"""

import hashlib
from collections.abc import Mapping, Sequence

DELEGATED_PREFIX = "cred:delegated/"
DELEGATED_BY_FACT = "delegated_by"  # identities, origin first, one space between
DELEGATION_CREDENTIAL_FACT = "delegation_credential"  # credential of the origin


def build_delegated_credential_id(path: Sequence[str], credential: str) -> str:
    """Build the id of the credential of an impersonated identity.

    Args:
        path: Identities from the origin to the impersonated one.
        credential: Credential of the origin, empty where it is not logged.
    """
    digest = hashlib.sha256("\x00".join((*path, credential)).encode())
    return DELEGATED_PREFIX + digest.hexdigest()


def encode_delegation(delegated_by: Sequence[str], credential: str) -> dict[str, str]:
    """Encode an impersonation as facts of its event; ids contain no space."""
    named = " ".join(each.replace(" ", "%20") for each in delegated_by)
    return {DELEGATED_BY_FACT: named, DELEGATION_CREDENTIAL_FACT: credential}


def decode_delegation(facts: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Decode the impersonating identities and the credential of the origin."""
    named = facts.get(DELEGATED_BY_FACT, "").split()
    path = tuple(each.replace("%20", " ") for each in named)
    return path, facts.get(DELEGATION_CREDENTIAL_FACT, "")
