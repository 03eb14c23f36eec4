"""Contract of a platform whose identities trust OIDC tokens of an issuer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from answerable.model.ids import IdentityId
from answerable.reach.platform import PathHop

Claims = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TokenTrust:
    """Identity that trusts the tokens of an issuer.

    Attributes:
        issuer: The issuer without its scheme, as the trust policy names it.
        stated: Values that its conditions state, by claim in lower case.
        free: Claims of `stated` that some statement which allows the issuer leaves open.
        collected: Whether the trust policy was collected.
    """

    identity: IdentityId
    issuer: str
    stated: Claims
    free: frozenset[str] = frozenset()
    collected: bool = True

    def list_limits(self, claim: str) -> Sequence[str]:
        """List the values to which a claim is limited; empty where any may enter."""
        return () if claim in self.free else self.stated.get(claim, ())


class TokenTrusts(Protocol):
    """Trust policies of a platform."""

    def list_token_issuers(self) -> Sequence[str]:
        """List the issuers that trust policies name, without their scheme."""

    def has_trust_policy(self, identity: IdentityId) -> bool:
        """Return whether the trust policy of an identity was collected."""

    def list_token_trusts(self, issuer: str) -> Iterable[TokenTrust]:
        """List the identities that trust an issuer, or a part of it below a path."""

    def list_token_entries(
        self, trust: TokenTrust, claims: Claims
    ) -> Sequence[PathHop]:
        """List the steps by which a token with such claims enters an identity.

        Args:
            claims: By name; no value for an absent claim. Others are not known.
        """

    def list_service_trusts(self, service: str) -> Sequence[IdentityId]:
        """List the identities whose trust policies name a service."""

    def list_service_entries(
        self, identity: IdentityId, service: str, keys: Claims
    ) -> Sequence[PathHop]:
        """List the steps by which a service that tags its sessions enters an identity.

        Args:
            keys: Condition keys of the call, in lower case.
        """


class NoTokenTrusts:
    """Trust policies of a platform of which none was collected."""

    def list_token_issuers(self) -> Sequence[str]:
        """List no issuer."""
        return ()

    def has_trust_policy(self, identity: IdentityId) -> bool:
        """Tell that a trust policy was not collected."""
        return False

    def list_token_trusts(self, issuer: str) -> Iterable[TokenTrust]:
        """List no trust."""
        return ()

    def list_token_entries(
        self, trust: TokenTrust, claims: Claims
    ) -> Sequence[PathHop]:
        """List no step."""
        return ()

    def list_service_trusts(self, service: str) -> Sequence[IdentityId]:
        """List no identity."""
        return ()

    def list_service_entries(
        self, identity: IdentityId, service: str, keys: Claims
    ) -> Sequence[PathHop]:
        """List no step."""
        return ()
