"""Map every form of the name of an IAM user or role to one canonical id.

A key list and a trail's session give a user or role without its path, the account dump
with it. Both are one identity (IAM User Guide, "IAM identifiers": names are unique
within an account, ignoring case).
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from answerable.model.errors import IdError
from answerable.model.identity import Identity
from answerable.model.ids import Arn, IdentityId

_NAMED_TYPES = {"user", "role"}
# The role of a permission set ends in sixteen hexadecimal digits that only the account
# knows (IAM Identity Center User Guide, "Referencing permission sets").
_PERMISSION_SET_ROLE = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")


@lru_cache(maxsize=65_536)
def parse_iam_principal_arn(text: str) -> tuple[str, str, str] | None:
    """Parse an ARN into (account, `user` or `role`, name in lower case).

    A session of an assumed role gives the key of its role.
    """
    try:
        arn = Arn.parse(text)
    except IdError:
        return None
    kind, _, rest = arn.resource.partition("/")
    if arn.service == "sts" and kind == "assumed-role":
        kind, rest = "role", rest.partition("/")[0]
    elif arn.service != "iam" or kind not in _NAMED_TYPES:
        return None
    name = rest.rpartition("/")[2]
    return (arn.account, kind, name.lower()) if name else None


class CanonicalIds:
    """Map from every form of a user or role name to its canonical id."""

    def __init__(self, identities: Iterable[Identity]) -> None:
        """Choose a canonical id per (account, kind, name).

        Args:
            identities: Newest first; one with a unique id comes from the account itself
                and beats one known by its short name only.
        """
        best: dict[tuple[str, str, str], Identity] = {}
        for identity in identities:
            key = parse_iam_principal_arn(identity.id)
            if key is None:
                continue
            known = best.get(key)
            if known is None or _get_identity_sort_key(
                identity
            ) > _get_identity_sort_key(known):
                best[key] = identity
        self._best: Mapping[tuple[str, str, str], IdentityId] = {
            key: identity.id for key, identity in best.items()
        }
        self._permission_sets: Mapping[str, IdentityId] = {
            build_permission_set_id(key[0], found[1]): identity.id
            for key, identity in best.items()
            if key[1] == "role"
            and (found := _PERMISSION_SET_ROLE.fullmatch(identity.name))
        }

    def get_canonical_ids_by_principal(
        self,
    ) -> Mapping[tuple[str, str, str], IdentityId]:
        """Return the canonical id of each (account, kind, folded name)."""
        return self._best

    def __call__(self, text: str) -> IdentityId:
        """Return the canonical id; an unknown text comes back unchanged."""
        key = parse_iam_principal_arn(text)
        if key is None:
            return self._permission_sets.get(text, IdentityId(text))
        return self._best.get(key, IdentityId(text))


def build_permission_set_id(account: str, name: str) -> str:
    """Build the id of a permission set whose role is not known."""
    return f"aws-sso:{account}/{name}"


def _get_identity_sort_key(identity: Identity) -> tuple[bool, bool]:
    """Return a sort key: a unique id first, then an ARN with its full path."""
    return (bool(identity.unique_id), identity.id.count("/") > 1)
