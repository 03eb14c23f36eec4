"""List the behaviour baselines in a store: signed ones and newer drafts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from answerable.baseline.profile_verification import profile_subject_id
from answerable.evidence import signed_statements
from answerable.evidence.signed_statements import InvalidStatement
from answerable.model.baseline import BaselineProfile, BaselineStage, BaselineSubject
from answerable.model.documents.baseline import BaselineItem
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.presentation.command_hints import format_command
from answerable.services.baseline.profile_learning import BASELINE, load_profile
from answerable.services.baseline.profiles import build_baseline_item
from answerable.services.statements import owner_keys, signed_baselines
from answerable.services.statements.signed_baselines import (
    SIGNED_BASELINE,
    ActiveBaseline,
)
from answerable.services.statements.signed_statements import StatementReading
from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class _LoggedProfile:
    index: int
    digest: str
    profile: BaselineProfile


def list_baselines(store: EvidenceStore, *, now: int, agent: str = "") -> Document:
    """List the baselines of all agents, or of one, in the order of agents.

    Args:
        now: UTC nanoseconds.
        agent: Only baselines of this agent; empty for all.

    Raises:
        VerificationError: A stored object was changed.
    """
    held = signed_baselines.read_signed_baselines(store, now)
    lapsed = _explain_lapsed_baselines(store, held)
    active = signed_baselines.index_baselines_by_subject(held.active)
    items: list[BaselineItem] = []
    for subject, logged in sorted(
        _group_profiles_by_subject(store).items(), key=lambda e: _subject_sort_key(e[0])
    ):
        if agent in ("", subject.agent):
            why = lapsed.get(profile_subject_id(subject), "")
            items += _build_subject_items(subject, logged, active, why)
    following = "" if items else format_command("baseline", "learn", agent or "AGENT")
    return Document("baselines", items, build_empty_coverage(), next=following)


def _subject_sort_key(subject: BaselineSubject) -> tuple[str, str, str]:
    """Return agent, server and identity, the sort order of subjects."""
    return subject.agent, subject.server, subject.identity


def _group_profiles_by_subject(
    store: EvidenceStore,
) -> dict[BaselineSubject, list[_LoggedProfile]]:
    """Group the stored profiles by subject, in the order of the log."""
    found: dict[BaselineSubject, list[_LoggedProfile]] = {}
    for each in store.list_objects(BASELINE):
        profile = load_profile(store, each.digest)[1]
        logged = _LoggedProfile(each.index, each.digest, profile)
        found.setdefault(profile.subject, []).append(logged)
    return found


def _build_subject_items(
    subject: BaselineSubject,
    logged: list[_LoggedProfile],
    active: Mapping[BaselineSubject, ActiveBaseline],
    lapse_reason: str,
) -> Iterator[BaselineItem]:
    """Yield the signed baseline of a subject, then its newer draft, if any."""
    newest, stands = logged[-1], active.get(subject)
    if stands is not None:
        yield build_baseline_item(stands.digest, stands.profile, active)
        known = max(each.index for each in logged if each.digest == stands.digest)
        if newest.index <= known:
            return
    draft = build_baseline_item(newest.digest, newest.profile, active)
    if lapse_reason:
        draft["lapsed"] = lapse_reason
    yield draft


def _explain_lapsed_baselines(
    store: EvidenceStore, baselines: StatementReading[ActiveBaseline]
) -> dict[str, str]:
    """Explain why the latest signed baseline of each subject is not in force."""
    reasons = {each.digest: each.why for each in baselines.rejected}
    standing = {profile_subject_id(each.subject) for each in baselines.active}
    found: dict[str, str] = {}
    for each in store.list_objects(SIGNED_BASELINE):
        try:
            envelope, said = signed_statements.decode_statement(
                owner_keys.load_signed_statement(store, each.digest)
            )
        except InvalidStatement:
            continue
        why = reasons.get(each.digest) or reasons.get(
            signed_statements.hash_signed_payload(envelope)
        )
        if why is None and said.get_statement_claim("stage") == BaselineStage.OFF:
            why = "its owner revoked it"
        found[said.subject] = why or ""
    return {name: why for name, why in found.items() if name not in standing and why}
