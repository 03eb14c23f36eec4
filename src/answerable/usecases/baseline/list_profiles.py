"""List of all baselines in a store: the signed ones in force and newer drafts."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.baseline.profile_verification import subject_id
from answerable.evidence import signed_statements
from answerable.evidence.signed_statements import StatementVoid
from answerable.model.baseline import Profile, Stage, Subject
from answerable.model.documents.baseline import BaselineItem
from answerable.model.documents.core import Document
from answerable.presentation.command_hints import command
from answerable.services.baseline.profile_learning import BASELINE, kept
from answerable.services.baseline.profiles import COVERAGE, item
from answerable.services.statements import owner_keys, signed_baselines
from answerable.services.statements.signed_baselines import SIGNED, Held
from answerable.store.store import Store


@dataclass(frozen=True, slots=True)
class _Logged:
    index: int
    digest: str
    profile: Profile


def listed(store: Store, *, now: int, agent: str = "") -> Document:
    """List baselines, agent by agent.

    Args:
        now: UTC nanoseconds.
        agent: Only baselines of this agent; empty for all.

    Raises:
        VerificationError: A stored object was changed.
    """
    held = signed_baselines.held(store, now)
    lapsed = _lapsed(store, held)
    items: list[BaselineItem] = []
    for subject, logged in sorted(_logged(store).items(), key=lambda e: _order(e[0])):
        if agent in ("", subject.agent):
            why = lapsed.get(subject_id(subject), "")
            items += _items(subject, logged, held, why)
    following = "" if items else command("baseline", "learn", agent or "AGENT")
    return Document("baselines", items, COVERAGE, next=following)


def _order(subject: Subject) -> tuple[str, str, str]:
    return subject.agent, subject.server, subject.identity


def _logged(store: Store) -> dict[Subject, list[_Logged]]:
    found: dict[Subject, list[_Logged]] = {}
    for each in store.objects(BASELINE):
        profile = kept(store, each.digest)[1]
        logged = _Logged(each.index, each.digest, profile)
        found.setdefault(profile.subject, []).append(logged)
    return found


def _items(
    subject: Subject, logged: list[_Logged], held: Held, lapsed: str
) -> Iterator[BaselineItem]:
    newest, stands = logged[-1], held.standing.get(subject)
    if stands is not None:
        yield item(stands.digest, stands.profile, held.standing)
        known = max(each.index for each in logged if each.digest == stands.digest)
        if newest.index <= known:
            return
    draft = item(newest.digest, newest.profile, held.standing)
    if lapsed:
        draft["lapsed"] = lapsed
    yield draft


def _lapsed(store: Store, held: Held) -> dict[str, str]:
    """Explain why the latest signed baseline of each subject is not in force."""
    reasons = {each.digest: each.why for each in held.unheld}
    standing = {subject_id(each) for each in held.standing}
    found: dict[str, str] = {}
    for each in store.objects(SIGNED):
        try:
            envelope, said = signed_statements.read(owner_keys.kept(store, each.digest))
        except StatementVoid:
            continue
        why = reasons.get(each.digest) or reasons.get(
            signed_statements.digest_of(envelope)
        )
        if why is None and said.claim("stage") == Stage.OFF:
            why = "its owner took it back"
        found[said.subject] = why or ""
    return {name: why for name, why in found.items() if name not in standing and why}
