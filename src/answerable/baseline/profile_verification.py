"""Verification of a signed profile: owner, integrity, newest version, expiry.

The statement names the profile by digest, its parent, the training root and the
learner. `evidence.statements` has already verified the signature and the key.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.baseline.profile_document import decode, digest, encode
from answerable.model.baseline import LEARNER, Profile, Stage, Subject
from answerable.model.errors import VerificationError
from answerable.model.owner_key import Statement, StatementType, Verified

CLAIMS = ("expires", "learner", "parent", "profile", "root", "stage")
LIFE = 90 * 86_400 * 10**9  # of a signature, at most
_SECOND = 10**9


class Fallen(StrEnum):
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


class ProfileRefused(VerificationError):  # noqa: N818 - says what became of it
    """A profile failed verification and is not enforced."""

    def __init__(self, fallen: Fallen, message: str) -> None:
        super().__init__(
            f"the baseline is not held to: {message}",
            "learn it again and have its owner sign it",
        )
        self.fallen = fallen


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected properties of a profile.

    Attributes:
        line: Digests of the versions so far, oldest first; the last one is in force.
        now: UTC nanoseconds.
    """

    subject: Subject
    owner: str
    line: tuple[str, ...]
    now: int


def subject_id(subject: Subject) -> str:
    """Return the id of a subject in a statement."""
    return f"baseline:{subject.agent}|{subject.identity}|{subject.server}"


def claims(
    profile: Profile, expires: int, stage: Stage = Stage.SHADOW
) -> dict[str, str]:
    """Build the claims that are signed for a profile.

    Args:
        expires: UTC nanoseconds.
        stage: Whether it is enforced.
    """
    return {
        "expires": str(expires),
        "learner": profile.learner,
        "parent": profile.parent,
        "profile": digest(encode(profile)),
        "root": profile.root,
        "stage": stage.value,
    }


def stands(data: bytes, verified: Verified | None, expected: Expected) -> Profile:
    """Decode a profile after checking owner, digest, version and expiry.

    Args:
        verified: The statement over it, signature and key verified; None if there is
            none.

    Raises:
        ProfileRefused: A check failed; the error carries the reason.
    """
    if verified is None:
        raise _refused(Fallen.UNSIGNED, "no statement of its owner counts for it")
    said = verified.statement
    _of_owner(verified, expected)
    name = digest(data)
    if said.claim("profile") != name:
        raise _refused(
            Fallen.TAMPERED,
            f"it is not the one that was signed (got {name[:12]}, "
            f"expected {said.claim('profile')[:12]})",
        )
    try:
        profile = decode(data)
    except VerificationError as error:
        raise _refused(Fallen.UNREADABLE, error.message) from None
    _of_line(profile, said, name, expected)
    _in_time(profile, said, expected.now)
    return profile


def _of_owner(verified: Verified, expected: Expected) -> None:
    said = verified.statement
    names = tuple(name for name, _ in said.claims)
    is_baseline = said.type is StatementType.BASELINE and names == CLAIMS
    if not is_baseline or said.claim("stage") not in list(Stage):
        raise _refused(Fallen.OTHER_TYPE, "the statement is of another type")
    if verified.key.person != expected.owner:
        raise _refused(
            Fallen.NOT_OWNER,
            f"{verified.key.person} signed it (expected {expected.owner})",
        )
    if said.subject != subject_id(expected.subject):
        raise _refused(
            Fallen.OTHER_SUBJECT,
            f"it was signed for {said.subject} (expected {subject_id(expected.subject)})",
        )


def _of_line(profile: Profile, said: Statement, name: str, expected: Expected) -> None:
    if profile.subject != expected.subject:
        raise _refused(
            Fallen.OTHER_SUBJECT, "it belongs to another agent, identity or server"
        )
    if profile.learner != LEARNER or said.claim("learner") != LEARNER:
        raise _refused(Fallen.OTHER_LEARNER, f"another learner made it than {LEARNER}")
    if (said.claim("parent"), said.claim("root")) != (profile.parent, profile.root):
        raise _refused(Fallen.TAMPERED, "it differs from what was signed")
    head = expected.line[-1] if expected.line else ""
    if name == head:
        return
    if name in expected.line:
        raise _refused(Fallen.REPLAYED, "a newer one replaced it")
    if profile.parent != head:
        raise _refused(
            Fallen.REPARENTED,
            f"it follows {profile.parent[:12] or 'none'} "
            f"(expected {head[:12] or 'none'}, which stands now)",
        )


def _in_time(profile: Profile, said: Statement, now: int) -> None:
    text = said.claim("expires")
    expires = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    if not said.signed_at < expires <= said.signed_at + LIFE or now >= expires:
        raise _refused(
            Fallen.EXPIRED, "its signature has ended, or does not end in time"
        )
    if now // _SECOND >= profile.until:
        raise _refused(Fallen.STALE, "its training runs are too old")


def _refused(fallen: Fallen, message: str) -> ProfileRefused:
    return ProfileRefused(fallen, message)
