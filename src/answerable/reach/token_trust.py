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
        collected: Whether the trust policy was collected.
    """

    identity: IdentityId
    issuer: str
    stated: Claims
    collected: bool = True


class TokenTrusts(Protocol):
    """Trust policies of a platform."""

    def list_token_trusts(self, issuer: str) -> Iterable[TokenTrust]:
        """List the identities that trust an issuer, or a part of it below a path."""

    def list_token_entries(
        self, trust: TokenTrust, claims: Claims
    ) -> Sequence[PathHop]:
        """List the steps by which a token with such claims enters an identity.

        Args:
            claims: By name; no value for an absent claim. Others are not known.
        """
