"""Verify a signed profile: owner, digest, newest version and expiry.

The statement names the profile by digest, its parent, the training root and the
learner. `evidence.signed_statements` has already verified the signature and the key.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.baseline.profile_document import (
    decode_profile,
    encode_profile,
    profile_document_digest,
)
from answerable.model.baseline import (
    LEARNER_VERSION,
    BaselineProfile,
    BaselineStage,
    BaselineSubject,
)
from answerable.model.errors import VerificationError
from answerable.model.owner_signing_key import (
    OwnerStatement,
    StatementType,
    VerifiedStatement,
)
from answerable.model.time_units import SECOND_NS

PROFILE_CLAIMS = ("expires", "learner", "parent", "profile", "root", "stage")
MAX_SIGNATURE_LIFETIME = 90 * 86_400 * 10**9  # of a signature, at most


class ProfileFault(StrEnum):
    """Reason why a profile is not valid."""

    UNSIGNED = "unsigned"
    NOT_OWNER = "signed-by-another"
    OTHER_TYPE = "of-another-type"
    OTHER_SUBJECT = "of-another-subject"
    TAMPERED = "tampered"
    UNREADABLE = "unreadable"
    OTHER_LEARNER = "of-another-learner"
    REPARENTED = "re-parented"
    REPLAYED = "replayed"
    EXPIRED = "signature-expired"
    STALE = "stale"


class ProfileRejected(VerificationError):  # noqa: N818 - says what became of it
    """A profile failed verification and is not enforced."""

    def __init__(self, fault: ProfileFault, message: str) -> None:
        super().__init__(
            f"the baseline is not enforced: {message}",
            "learn it again and let its owner sign it",
        )
        self.fallen = fault


@dataclass(frozen=True, slots=True)
class ExpectedProfile:
    """Expected properties of a profile.

    Attributes:
        accepted_digests: Digests of the versions so far, oldest first; the last one is in force.
        now: UTC nanoseconds.
    """

    subject: BaselineSubject
    owner: str
    accepted_digests: tuple[str, ...]
    now: int


def profile_subject_id(subject: BaselineSubject) -> str:
    """Return the id that names a profile's subject in a signed statement."""
    return f"baseline:{subject.agent}|{subject.identity}|{subject.server}"


def build_profile_claims(
    profile: BaselineProfile, expires: int, stage: BaselineStage = BaselineStage.SHADOW
) -> dict[str, str]:
    """Build the claims that an owner signs to put a baseline in force.

    Args:
        expires: UTC nanoseconds.
        stage: Whether it is enforced.
    """
    return {
        "expires": str(expires),
        "learner": profile.learner,
        "parent": profile.parent,
        "profile": profile_document_digest(encode_profile(profile)),
        "root": profile.root,
        "stage": stage.value,
    }


def verify_profile(
    data: bytes, verified_statement: VerifiedStatement | None, expected: ExpectedProfile
) -> BaselineProfile:
    """Decode a profile after checking signer, digest, version and expiry.

    Args:
        verified_statement: The statement over it, signature and key verified; None if
            there is none.

    Raises:
        ProfileRejected: A check failed; the error carries the reason.
    """
    if verified_statement is None:
        raise _build_invalid_profile_error(
            ProfileFault.UNSIGNED, "no valid statement of the agent's owner signs it"
        )
    said = verified_statement.statement
    _check_signing_owner(verified_statement, expected)
    name = profile_document_digest(data)
    if said.get_statement_claim("profile") != name:
        raise _build_invalid_profile_error(
            ProfileFault.TAMPERED,
            f"the profile differs from the signed baseline (got {name[:12]}, "
            f"expected {said.get_statement_claim('profile')[:12]})",
        )
    try:
        profile = decode_profile(data)
    except VerificationError as error:
        raise _build_invalid_profile_error(
            ProfileFault.UNREADABLE, error.message
        ) from None
    _check_newest_version(profile, said, name, expected)
    _check_profile_expiry(profile, said, expected.now)
    return profile


def _check_signing_owner(
    verified_statement: VerifiedStatement, expected: ExpectedProfile
) -> None:
    """Raise unless the expected owner signed a profile of this subject."""
    said = verified_statement.statement
    names = tuple(name for name, _ in said.claims)
    is_baseline = said.type is StatementType.BASELINE and names == PROFILE_CLAIMS
    if not is_baseline or said.get_statement_claim("stage") not in list(BaselineStage):
        raise _build_invalid_profile_error(
            ProfileFault.OTHER_TYPE, "the statement is not a baseline statement"
        )
    if verified_statement.key.person != expected.owner:
        raise _build_invalid_profile_error(
            ProfileFault.NOT_OWNER,
            f"the profile was signed by {verified_statement.key.person} (expected "
            f"{expected.owner})",
        )
    if said.subject != profile_subject_id(expected.subject):
        raise _build_invalid_profile_error(
            ProfileFault.OTHER_SUBJECT,
            f"the profile was signed for {said.subject} (expected "
            f"{profile_subject_id(expected.subject)})",
        )


def _check_newest_version(
    profile: BaselineProfile,
    statement: OwnerStatement,
    name: str,
    expected: ExpectedProfile,
) -> None:
    """Raise unless the profile follows the newest accepted one."""
    if profile.subject != expected.subject:
        raise _build_invalid_profile_error(
            ProfileFault.OTHER_SUBJECT,
            "the profile was learned for another agent, identity or server",
        )
    if (
        profile.learner != LEARNER_VERSION
        or statement.get_statement_claim("learner") != LEARNER_VERSION
    ):
        raise _build_invalid_profile_error(
            ProfileFault.OTHER_LEARNER,
            f"the profile was not created by learner version {LEARNER_VERSION}",
        )
    if (
        statement.get_statement_claim("parent"),
        statement.get_statement_claim("root"),
    ) != (
        profile.parent,
        profile.root,
    ):
        raise _build_invalid_profile_error(
            ProfileFault.TAMPERED, "the profile differs from the signed content"
        )
    head = expected.accepted_digests[-1] if expected.accepted_digests else ""
    if name == head:
        return
    if name in expected.accepted_digests:
        raise _build_invalid_profile_error(
            ProfileFault.REPLAYED, "a newer baseline replaced the profile"
        )
    if profile.parent != head:
        raise _build_invalid_profile_error(
            ProfileFault.REPARENTED,
            f"the predecessor of the profile is {profile.parent[:12] or 'none'} "
            f"(expected the current baseline, {head[:12] or 'none'})",
        )


def _check_profile_expiry(
    profile: BaselineProfile, statement: OwnerStatement, now: int
) -> None:
    """Raise if the signature or the training runs are too old."""
    text = statement.get_statement_claim("expires")
    expires = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    if (
        not statement.signed_at
        < expires
        <= statement.signed_at + MAX_SIGNATURE_LIFETIME
        or now >= expires
    ):
        raise _build_invalid_profile_error(
            ProfileFault.EXPIRED,
            "the signature has expired or exceeds the maximum lifetime",
        )
    if now // SECOND_NS >= profile.until:
        raise _build_invalid_profile_error(
            ProfileFault.STALE, "the training runs of the profile are too old"
        )


def _build_invalid_profile_error(fault: ProfileFault, message: str) -> ProfileRejected:
    """Build the error for a profile that is not valid."""
    return ProfileRejected(fault, message)
