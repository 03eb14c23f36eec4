"""Read the signed behaviour baselines of a store, verified on every read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from answerable.baseline.profile_verification import (
    ExpectedProfile,
    profile_subject_id,
    verify_profile,
)
from answerable.evidence.signed_statements import StatementShape
from answerable.model.baseline import BaselineProfile, BaselineStage, BaselineSubject
from answerable.model.errors import VerificationError
from answerable.model.ids import AgentId
from answerable.model.owner_signing_key import StatementType, VerifiedStatement
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import (
    AttestedOwner,
    open_owner_reader,
)
from answerable.services.statements.signed_statements import (
    RejectedStatement,
    SignedStatements,
    StatementReading,
)
from answerable.store.store import EvidenceStore

_RECHECK_NS = 5 * 10**9  # nanoseconds after which expiry is checked again

SIGNED_BASELINE = "signed-baseline"  # kind of the objects: statements
# `verify_profile` checks the claims, together with the profile.
BASELINE_SHAPE = StatementShape("baseline", {StatementType.BASELINE: None}, "expires")


@dataclass(frozen=True, slots=True)
class ActiveBaseline:
    """Signed profile in force.

    Attributes:
        digest: Digest of the profile, hex.
        stage: Whether it blocks calls.
        signed_at: UTC nanoseconds.
        expires: End of the signature, UTC nanoseconds.
    """

    subject: BaselineSubject
    digest: str
    profile: BaselineProfile
    stage: BaselineStage
    person: str
    signed_at: int
    expires: int


class SignedBaselineReader(SignedStatements[ActiveBaseline]):
    """Cached reader of the signed baselines of one store."""

    kind = SIGNED_BASELINE
    shape = BASELINE_SHAPE
    item = ActiveBaseline
    only_restricts = True

    def __init__(self, store: EvidenceStore) -> None:
        super().__init__(store)
        self._owners = open_owner_reader(store)
        self._selected: tuple[bytes, int, StatementReading[ActiveBaseline]] | None
        self._selected = None
        self._lines: Mapping[str, list[str]] = {}

    def select(self, now: int) -> StatementReading[ActiveBaseline]:
        """Verify the profiles, at most every five seconds while the log is the same."""
        if self._selected is not None:
            stamp, at, found = self._selected
            if stamp and stamp == self._stamp and 0 <= now - at < _RECHECK_NS:
                return found
        self._selected = (self._stamp, now, self._verify_profiles(now))
        return self._selected[2]

    def require_valid(self, verified: VerifiedStatement, now: int) -> None:
        """Refuse a signed baseline statement that would not be valid.

        Raises:
            VerificationError: It is not; the message has the reason.
        """
        self.refresh(now)
        self._verify_profiles(now)
        self._verify_baseline(
            verified, self._lines.get(verified.statement.subject, []), now
        )

    def _verify_profiles(self, now: int) -> StatementReading[ActiveBaseline]:
        """Verify every signed profile, and select the active one of each subject."""
        rejected = list(self._rejected)
        lines: dict[str, list[str]] = defaultdict(list)
        self._lines = lines
        heads: dict[str, VerifiedStatement] = {}
        for each in self._verified:
            # A statement follows the profile that was in force when it was signed.
            line = lines[each.statement.subject]
            try:
                found = self._verify_baseline(each, line, each.statement.signed_at)
            except VerificationError as error:
                rejected.append(RejectedStatement(each.digest, error.message))
                continue
            heads[each.statement.subject] = each
            if not line or line[-1] != found.digest:
                line.append(found.digest)
        active: list[ActiveBaseline] = []
        for name, head in heads.items():
            try:
                found = self._verify_baseline(head, lines[name], now)
            except VerificationError as error:
                rejected.append(RejectedStatement(head.digest, error.message))
            else:
                if found.stage is not BaselineStage.OFF:
                    active.append(found)
        return StatementReading(tuple(active), tuple(rejected))

    def _verify_baseline(
        self, verified: VerifiedStatement, previous_digests: list[str], now: int
    ) -> ActiveBaseline:
        """Verify one signed baseline against its profile and its agent's owner."""
        name = verified.statement.get_statement_claim("profile")
        data = owner_keys.load_signed_statement(self._store, name)
        subject = _parse_baseline_subject(verified.statement.subject)
        owner = self._owners.owners_by_agent(now).get(AgentId(subject.agent))
        signing = "" if owner is None else self._get_signing_owner(owner, verified)
        profile = verify_profile(
            data,
            verified,
            ExpectedProfile(subject, signing, tuple(previous_digests), now),
        )
        return ActiveBaseline(
            subject=subject,
            digest=name,
            profile=profile,
            stage=BaselineStage(verified.statement.get_statement_claim("stage")),
            person=verified.key.person,
            signed_at=verified.statement.signed_at,
            expires=BASELINE_SHAPE.get_expiry(verified.statement),
        )

    def _get_signing_owner(
        self, owner: AttestedOwner, verified: VerifiedStatement
    ) -> str:
        """Return the person id of the owner whose key signed; empty if none did."""
        is_same = self._owners.canonical_person(verified.key.person) == owner.person
        return verified.key.person if is_same else owner.person


def _parse_baseline_subject(text: str) -> BaselineSubject:
    """Parse the subject of a statement; a malformed one matches no agent."""
    agent, _, rest = text.removeprefix("baseline:").partition("|")
    identity, _, server = rest.rpartition("|")
    subject = BaselineSubject(identity, agent, server)
    return (
        subject if profile_subject_id(subject) == text else BaselineSubject("", "", "")
    )


def read_signed_baselines(
    store: EvidenceStore, now: int
) -> StatementReading[ActiveBaseline]:
    """Read and verify the signed baselines of a store."""
    return SignedBaselineReader(store).read(now)


def index_baselines_by_subject(
    baselines: Iterable[ActiveBaseline],
) -> Mapping[BaselineSubject, ActiveBaseline]:
    """Index the signed baselines in force by agent and server."""
    return {each.subject: each for each in baselines}


def read_active_baselines(
    store: EvidenceStore, now: int
) -> Mapping[BaselineSubject, ActiveBaseline]:
    """Read the signed profiles in force, by subject."""
    return index_baselines_by_subject(read_signed_baselines(store, now).active)
