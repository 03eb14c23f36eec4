"""Explain why a subject's permissions are not known, and name the missing source.

For such a subject the absence of an allow proves nothing: the answer is `not-known`.
"""

from dataclasses import dataclass

from answerable.model.inventory import CredentialEntity
from answerable.reach.platform import UnknownSubject


@dataclass(frozen=True, slots=True)
class IdentitySource:
    """Scan source of identities without a permission platform.

    Attributes:
        source: Name of the scan source.
        kinds: Prefixes of the kinds of its identities and credentials.
        prefixes: Prefixes of its identities' ids.
        suffixes: Suffixes of the same.
    """

    source: str
    kinds: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()

    def owns_id(self, key: str, kind: str) -> bool:
        """Return whether an id belongs to this source, by its kind or format."""
        if kind:
            return kind.startswith(self.kinds)
        return key.startswith(self.prefixes) or key.endswith(self.suffixes)


# Kinds: as the connectors name them. Ids: docs/cli.md, "Ids".
UNEVALUATED_SOURCES = (
    IdentitySource("gcp", ("gcp", "gcloud"), ("gcp:",), (".gserviceaccount.com",)),
    IdentitySource("k8s", ("k8s", "kube"), ("k8s:",)),
    IdentitySource("github", ("github", "gh-"), ("github:",)),
    IdentitySource("entra", ("entra",), ("entra:",)),
    IdentitySource("azure", ("azure", "client-secret"), ("azure:",)),
    IdentitySource("okta", ("okta",), ("okta:",)),
)


def find_source_of_identity(key: str, kind: str = "") -> str:
    """Return the scan source that supplies an identity, or an empty text."""
    return next(
        (each.source for each in UNEVALUATED_SOURCES if each.owns_id(key, kind)), ""
    )


def explain_unclaimed_identity(identity: str, kind: str) -> UnknownSubject:
    """Explain that no registered platform evaluates an identity."""
    source = find_source_of_identity(identity, kind)
    missing = f"no permission data for {kind or source or 'it'}"
    return UnknownSubject(identity, missing, source)


def explain_unknown_credential(entity: CredentialEntity, source: str) -> UnknownSubject:
    """Explain why the identity of a credential is not known."""
    return UnknownSubject(entity.id, entity.how or _NO_IDENTITY, source)


_NO_IDENTITY = "no identity is known for it"


def explain_unknown_agent(agent: str) -> UnknownSubject:
    """Explain that no identity of an agent is known."""
    return UnknownSubject(agent, _NO_IDENTITY, "")
