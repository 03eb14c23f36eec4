"""Laws of signed statements, for every kind: what counts for nothing."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from answerable.baseline.profile_document import encode_profile, profile_document_digest
from answerable.baseline.profile_verification import (
    build_profile_claims,
    profile_subject_id,
)
from answerable.evidence import dsse, owner_attestations, signed_statements
from answerable.evidence.credential_policies import build_credential_policy_content
from answerable.evidence.finding_reviews import build_review_content
from answerable.evidence.person_merges import build_merge_content
from answerable.evidence.signed_user_requests import (
    UserRequest,
    build_request_content,
)
from answerable.model.baseline import BaselineProfile, BaselineSubject
from answerable.model.credential_policy import CredentialPlatform, CredentialPolicy
from answerable.model.finding_review import FindingReview, ReviewAction
from answerable.model.owner_signing_key import (
    OwnerStatement,
    StatementContent,
    StatementType,
)
from answerable.model.person import PersonMerge
from answerable.model.person_request import ANY_RUN
from answerable.model.provenance import WrittenBy
from answerable.services.baseline.profile_learning import BASELINE
from answerable.services.statements import key_enrolment, owner_keys
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.services.statements.credential_policies import CredentialPolicyReader
from answerable.services.statements.finding_reviews import FindingReviewReader
from answerable.services.statements.owner_keys import LocalSigner
from answerable.services.statements.person_merges import PersonMergeReader
from answerable.services.statements.person_requests import PersonRequestReader
from answerable.services.statements.policy_exceptions import PolicyExceptionReader
from answerable.services.statements.signed_baselines import SignedBaselineReader
from answerable.services.statements.statements_in_force import (
    ENFORCED_KINDS,
    SIGNED_KINDS,
    StatementKind,
    StatementsInForce,
    read_statements,
)
from answerable.services.statements.tool_approvals import ToolApprovalReader
from answerable.store.store import EvidenceStore
from tests.inventory.fact_builders import DAY, NOW
from tests.usecases import exception_statements
from tests.usecases.exception_statements import signed
from tests.usecases.owned_store import (
    AGENT,
    AGENTS,
    ANA,
    BEN,
    HOUR,
    A,
    B,
    create_owned_store,
    enroll,
    signer,
)

PROFILE = BaselineProfile(BaselineSubject("", AGENT, "bank"), until=2**40)
NEXT = BaselineProfile(
    PROFILE.subject,
    until=2**40,
    parent=profile_document_digest(encode_profile(PROFILE)),
)


@dataclass(frozen=True)
class Example:
    """Valid statement of one kind.

    Attributes:
        build: Builds it, given the key, the time and the store.
        lifetime: Nanoseconds until it expires; 0 for none.
        succeed: Builds the statement that ends it; None if the kind has none.
    """

    build: Callable[[LocalSigner, str], OwnerStatement]
    lifetime: int = 0
    succeed: (
        Callable[[OwnerStatement, str], tuple[OwnerStatement, LocalSigner]] | None
    ) = None


def attestation(key: LocalSigner, here: str) -> OwnerStatement:
    return owner_attestations.build_attestation_content(
        AGENTS[2], ANA, previous="", now=NOW
    ).build_owner_statement(key.id, here, NOW)


def other_owner(said: OwnerStatement, here: str) -> tuple[OwnerStatement, LocalSigner]:
    return owner_attestations.build_attestation_content(
        AGENTS[2], BEN, previous="", now=NOW + 1
    ).build_owner_statement(B.id, here, NOW + 1), B


def exception(key: LocalSigner, here: str) -> OwnerStatement:
    claims = {**exception_statements.act(), "person": ANA}
    content = StatementContent(StatementType.AMENDMENT, AGENT, claims)
    return content.build_owner_statement(key.id, here, NOW)


def revocation(said: OwnerStatement, here: str) -> tuple[OwnerStatement, LocalSigner]:
    claims = {"amendment": digest_of(said), "person": ANA}
    content = StatementContent(StatementType.AMENDMENT_REVOKED, AGENT, claims)
    return content.build_owner_statement(A.id, here, NOW + 1), A


def baseline(
    key: LocalSigner, here: str, profile: BaselineProfile = PROFILE
) -> OwnerStatement:
    return OwnerStatement(
        StatementType.BASELINE,
        profile_subject_id(profile.subject),
        tuple(sorted(build_profile_claims(profile, NOW + 90 * DAY).items())),
        NOW,
        key.id,
        here,
    )


def next_baseline(
    said: OwnerStatement, here: str
) -> tuple[OwnerStatement, LocalSigner]:
    return baseline(A, here, NEXT), A


def request(key: LocalSigner, here: str) -> OwnerStatement:
    filed = UserRequest(AGENT, ANY_RUN, "0" * 64, 9, NOW + HOUR, ("rent",))
    return build_request_content(filed, ANA).build_owner_statement(key.id, here, NOW)


def approval(key: LocalSigner, here: str) -> OwnerStatement:
    claims = (("tool:mcp/files/read", "0" * 64),)
    return OwnerStatement(
        StatementType.TOOLS_APPROVAL, "server:files", claims, NOW, key.id, here
    )


def credential_policy(key: LocalSigner, here: str) -> OwnerStatement:
    policy = CredentialPolicy(
        agent=AGENT,
        platform=CredentialPlatform.KUBERNETES,
        document='{"context":"c","namespace":"n","service_account":"s"}',
        profile="",
        role="",
        duration=600,
        person=ANA,
        digest="",
        signed_at=NOW,
        expires=NOW + 90 * DAY,
    )
    content = build_credential_policy_content(policy)
    return content.build_owner_statement(key.id, here, NOW)


def review(key: LocalSigner, here: str) -> OwnerStatement:
    accepted = FindingReview(
        "finding:static-key/0123456789abcdef",
        ReviewAction.SUPPRESS,
        ANA,
        reason="rotated in March",
        expires=NOW + 366 * DAY,
    )
    content = build_review_content(accepted)
    return content.build_owner_statement(key.id, here, NOW)


def merge(key: LocalSigner, here: str) -> OwnerStatement:
    same = PersonMerge(ANA, BEN, "", WrittenBy.PERSON, NOW)
    return build_merge_content(same, ANA).build_owner_statement(key.id, here, NOW)


def split(said: OwnerStatement, here: str) -> tuple[OwnerStatement, LocalSigner]:
    ended = PersonMerge(ANA, BEN, "", WrittenBy.PERSON, NOW, merged=False)
    content = build_merge_content(ended, ANA)
    return content.build_owner_statement(A.id, here, NOW + 1), A


def reopened(said: OwnerStatement, here: str) -> tuple[OwnerStatement, LocalSigner]:
    content = build_review_content(
        FindingReview(said.subject, ReviewAction.REOPEN, ANA)
    )
    return content.build_owner_statement(A.id, here, NOW + 1), A


EXAMPLES: dict[StatementKind, Example] = {
    AttestedOwnerReader: Example(attestation, 180 * DAY, other_owner),
    PolicyExceptionReader: Example(exception, HOUR, revocation),
    SignedBaselineReader: Example(baseline, 90 * DAY, next_baseline),
    PersonRequestReader: Example(request, HOUR),
    CredentialPolicyReader: Example(credential_policy, 90 * DAY),
    FindingReviewReader: Example(review, 366 * DAY, reopened),
    PersonMergeReader: Example(merge, 0, split),
    ToolApprovalReader: Example(approval),
}
OF_EVERY_KIND = pytest.mark.parametrize("kind", SIGNED_KINDS, ids=lambda k: k.kind)


def digest_of(said: OwnerStatement) -> str:
    envelope = dsse.decode_envelope(signed(said))
    return signed_statements.hash_signed_payload(envelope)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = create_owned_store(tmp_path_factory.mktemp("statements") / "store")
    with EvidenceStore.open(root, now=NOW) as store:
        for profile in (PROFILE, NEXT):
            store.put_object(BASELINE, encode_profile(profile), NOW)
    return root


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[EvidenceStore]:
    root = shutil.copytree(template, tmp_path / "store")
    with EvidenceStore.open(root, now=NOW) as opened:
        yield opened


def build(
    store: EvidenceStore, kind: StatementKind, key: LocalSigner = A
) -> OwnerStatement:
    return EXAMPLES[kind].build(key, owner_keys.get_store_id(store))


def names(store: EvidenceStore, kind: StatementKind, now: int) -> set[str]:
    """Digests that the statements in force of a kind are known by."""
    active = kind(store).read(now).active
    return {getattr(each, "id", "") or each.digest for each in active}


def counts(
    store: EvidenceStore, kind: StatementKind, said: OwnerStatement, now: int = NOW + 2
) -> bool:
    """Return whether a statement is in force, read with and without a cached reader."""
    own = {digest_of(said), said.get_statement_claim("profile")}
    cached = {
        getattr(e, "id", "") or e.digest for e in kind.open(store).read(now).active
    }
    assert cached == names(store, kind, now)
    return bool(own & cached)


def test_every_kind_has_its_example() -> None:
    assert set(EXAMPLES) == set(SIGNED_KINDS)
    assert set(ENFORCED_KINDS) <= set(SIGNED_KINDS)


@OF_EVERY_KIND
def test_a_valid_statement_counts_until_it_expires(
    store: EvidenceStore, kind: StatementKind
) -> None:
    said, lifetime = build(store, kind), EXAMPLES[kind].lifetime
    assert not counts(store, kind, said)
    store.put_object(kind.kind, signed(said), NOW)
    assert counts(store, kind, said)
    if lifetime:
        assert counts(store, kind, said, NOW + lifetime - 6 * 10**9)
        assert not counts(store, kind, said, NOW + lifetime)


@OF_EVERY_KIND
def test_a_bad_signature_counts_for_nothing(
    store: EvidenceStore, kind: StatementKind
) -> None:
    said = build(store, kind)
    elsewhere = EXAMPLES[kind].build(A, "another store")
    moved = dsse.decode_envelope(signed(said))
    payload = signed_statements.encode_payload(replace(said, signed_at=NOW + 1))
    for data, text in (
        (signed(said, B), said),
        (dsse.encode_envelope(replace(moved, signatures=())), said),
        (
            dsse.encode_envelope(replace(moved, payload=payload)),
            replace(said, signed_at=NOW + 1),
        ),
        (signed(elsewhere), elsewhere),
    ):
        store.put_object(kind.kind, data, NOW)
        assert not counts(store, kind, text)


@OF_EVERY_KIND
def test_a_key_that_is_not_in_force_signs_nothing(
    store: EvidenceStore, kind: StatementKind
) -> None:
    stranger, expired, later = signer("s"), signer("e"), signer("l")
    enroll(store, expired, ANA, at=NOW - 9 * DAY, days=8)
    enroll(store, later, ANA, at=NOW + DAY)
    for key in (stranger, expired, later):
        said = build(store, kind, key)
        store.put_object(kind.kind, signed(said, key), NOW)
        assert not counts(store, kind, said), key


@OF_EVERY_KIND
def test_a_revoked_key_takes_its_statements_along(
    store: EvidenceStore, kind: StatementKind
) -> None:
    second = signer("2")
    enroll(store, second, ANA)
    said = build(store, kind, second)
    store.put_object(kind.kind, signed(said, second), NOW)
    assert counts(store, kind, said)
    key_enrolment.revoke_owner_key(store, second.id, since=NOW, uid=0, now=NOW + 1)
    assert not counts(store, kind, said)


@OF_EVERY_KIND
def test_a_statement_of_another_kind_counts_for_nothing(
    store: EvidenceStore, kind: StatementKind
) -> None:
    before = names(store, kind, NOW + 2)
    for other in SIGNED_KINDS:
        if other is not kind:
            store.put_object(kind.kind, signed(build(store, other)), NOW)
    assert names(store, kind, NOW + 2) == before


@pytest.mark.parametrize(
    "kind", [k for k in SIGNED_KINDS if EXAMPLES[k].succeed], ids=lambda k: k.kind
)
def test_a_statement_that_was_revoked_or_replaced_counts_for_nothing(
    store: EvidenceStore, kind: StatementKind
) -> None:
    said, succeed = build(store, kind), EXAMPLES[kind].succeed
    store.put_object(kind.kind, signed(said), NOW)
    assert counts(store, kind, said)
    assert succeed is not None
    following, key = succeed(said, owner_keys.get_store_id(store))
    store.put_object(kind.kind, signed(following, key), NOW + 1)
    assert not counts(store, kind, said)
    store.put_object(kind.kind, signed(said), NOW + 2)  # recorded again
    assert not counts(store, kind, said)


def test_a_worker_gets_what_the_supervisor_read_and_only_what_changed(
    store: EvidenceStore,
) -> None:
    nothing = StatementsInForce()
    for kind in ENFORCED_KINDS:
        store.put_object(kind.kind, signed(build(store, kind)), NOW)
    read = read_statements(store, ENFORCED_KINDS, NOW + 2)
    sent = nothing.apply(read.encode(nothing))
    assert [sent.get(kind) for kind in ENFORCED_KINDS] == [
        read.get(kind) for kind in ENFORCED_KINDS
    ]
    assert all(len(sent.get(kind)) == 1 for kind in ENFORCED_KINDS)
    later = read.replace(
        {kind: kind.open(store).read(NOW + HOUR).active for kind in ENFORCED_KINDS}
    )
    changes = later.encode(read)
    assert set(changes) == {PolicyExceptionReader.kind, PersonRequestReader.kind}
    after = sent.apply(changes)
    assert after.get(SignedBaselineReader) is sent.get(SignedBaselineReader)
    assert not after.get(PolicyExceptionReader)
    assert not after.get(PersonRequestReader)
    assert later.encode(later) == {}
