"""Read the person that a verified token names, for web, API and token service.

An email counts only with `"email_verified": true` as a JSON boolean (OpenID Connect
Core 5.1), because anyone may type an address into an account. A name must be ASCII:
lookalikes and names that change by NFKC and case folding (`\u212aim@...`) are
rejected.
"""

from collections.abc import Callable
from typing import TypeAlias

from answerable.federation.jws_parsing import is_identifier
from answerable.model.errors import AnswerableError, IdError
from answerable.model.ids import PersonId, build_person_id
from answerable.model.token_claims import SignedClaims

EMAIL_CLAIM = "email"
EMAIL_VERIFIED_CLAIM = "email_verified"

# Tells whether claims are of the one account that a person is bound to.
AccountBinding: TypeAlias = Callable[[SignedClaims, PersonId], bool]


def accept_without_account_binding(claims: SignedClaims, person: PersonId) -> bool:
    """Accept every account for a person: the check without account binding."""
    return True


class PersonRejected(AnswerableError):  # noqa: N818 - an outcome
    """A token names no acceptable person.

    Args:
        claim: The claim that failed.
    """

    def __init__(self, claim: str, message: str) -> None:
        super().__init__(message)
        self.claim = claim


def read_person(claims: SignedClaims, claim: str) -> PersonId:
    """Return the person that a verified token names in the configured claim.

    Args:
        claim: The claim that names people in tokens of this issuer.

    Raises:
        PersonRejected: The claim is missing or malformed, or its email is unverified.
    """
    named = claims.find_claim_at_path(claim)
    if (
        claim == EMAIL_CLAIM
        and claims.find_claim_at_path(EMAIL_VERIFIED_CLAIM) is not True
    ):  # 1 == True to Python
        raise PersonRejected(
            EMAIL_VERIFIED_CLAIM,
            "the provider has not verified the person's email "
            "(expected the claim email_verified: true)",
        )
    # An id drops white space at its ends; no other name may end up as that one.
    if not is_identifier(named) or not named.isascii() or named != named.strip():
        raise PersonRejected(
            claim, f"the token names no person (expected ASCII in the claim {claim})"
        )
    try:
        return build_person_id(named)
    except IdError:
        raise PersonRejected(claim, f"the claim {claim} is not a valid name") from None
