"""Learn, show, compare and sign the behaviour profiles (baselines) of an agent."""

from collections.abc import Sequence

from answerable.baseline.profile_diff import ProfileChange, diff_profiles
from answerable.baseline.profile_document import encode_profile
from answerable.baseline.profile_learning import build_empty_profile
from answerable.baseline.profile_verification import (
    MAX_SIGNATURE_LIFETIME,
    build_profile_claims,
    profile_subject_id,
)
from answerable.model.baseline import (
    BaselineProfile,
    BaselineStage,
    BaselineSubject,
    LearningParameters,
)
from answerable.model.documents.baseline import BaselineChangeItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import AgentId
from answerable.model.owner_signing_key import StatementContent, StatementType
from answerable.model.time_units import SECOND_NS
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.services.baseline import profile_learning
from answerable.services.baseline.profile_learning import BASELINE, WINDOW, load_profile
from answerable.services.baseline.profiles import (
    build_baseline_item,
    turns_off_enforcement,
)
from answerable.services.statements import owner_keys, signed_baselines
from answerable.services.statements.attested_owners import read_attested_owners
from answerable.services.statements.owner_keys import StatementSigner
from answerable.services.statements.signed_baselines import SignedBaselineReader
from answerable.store.store import EvidenceStore

_MAX_NAMED = 5  # subjects named in an error


def learn_profiles(
    store: EvidenceStore,
    agent: AgentId,
    *,
    server: str = "",
    identity: str | None = None,
    since: int,
    now: int,
) -> Document:
    """Learn profiles from the records of an agent and store them as drafts.

    Args:
        server: Only calls to this server; empty for all.
        identity: Only calls through this identity; None for all.
        since: UTC nanoseconds, inclusive.
        now: UTC nanoseconds.

    Raises:
        UsageError: No recorded call of the agent exists.
    """
    begin = max(since, now - WINDOW)
    found = profile_learning.read_recorded_calls(store, agent, since=begin, until=now)
    known = profile_learning.list_profile_subjects(found)
    standing = signed_baselines.read_active_baselines(store, now)
    items = []
    for subject in known:
        if server not in ("", subject.server) or identity not in (
            None,
            subject.identity,
        ):
            continue
        stands = standing.get(subject)
        before = None if stands is None else stands.profile
        profile = profile_learning.learn_profile(
            found, subject, LearningParameters(), now, before
        )
        name = store.put_object(BASELINE, encode_profile(profile), now)
        items.append(build_baseline_item(name, profile, standing))
    if not items:
        raise _explain_no_calls(agent, begin, known)
    following = format_command("baseline", "show", str(items[0]["digest"])[:16])
    return Document("baselines", items, build_empty_coverage(), next=following)


def _explain_no_calls(
    agent: AgentId, since: int, subjects: Sequence[BaselineSubject]
) -> UsageError:
    """Build the error for an agent without recorded calls."""
    begin = format_time(since)
    if not subjects:
        return UsageError(
            f"the store has no recorded call of {agent} since {begin}",
            "add a `baseline` to the agent in answerable.yaml and let the agent "
            "work; `serve` stores records twice a minute",
        )
    calls = [
        f"{each.server} as {each.identity}" if each.identity else each.server
        for each in subjects
    ]
    return UsageError(
        f"no recorded call of {agent} since {begin} went to that server as that "
        "identity",
        f"servers and identities with calls: {', '.join(calls[:_MAX_NAMED])}",
    )


def show_profile(store: EvidenceStore, name: str, *, now: int) -> Document:
    """Show a profile by digest, or the signed or newest profiles of an agent.

    Raises:
        UsageError: The profile does not exist.
        VerificationError: A stored profile was changed.
    """
    standing = signed_baselines.read_active_baselines(store, now)
    if not name.startswith("agent:"):
        digest_, profile = load_profile(store, name)
        return Document(
            "baseline",
            [build_baseline_item(digest_, profile, standing, with_entries=True)],
            build_empty_coverage(),
        )
    newest: dict[BaselineSubject, tuple[str, BaselineProfile]] = {}
    for each in store.list_objects(BASELINE):
        profile = load_profile(store, each.digest)[1]
        if profile.subject.agent == name:
            newest[profile.subject] = (each.digest, profile)
    for subject, stands in standing.items():
        if subject.agent == name:
            newest[subject] = (stands.digest, stands.profile)
    if not newest:
        raise UsageError(
            f"{name} has no baseline", format_command("baseline", "learn", name)
        )
    items = [
        build_baseline_item(*found, standing, with_entries=True)
        for found in newest.values()
    ]
    return Document("baseline", items, build_empty_coverage())


def compare_profiles(store: EvidenceStore, old: str, new: str, *, now: int) -> Document:
    """List the changes from a profile's predecessor to it, by consequence.

    Args:
        old: Digest of the old profile; empty for the one in force, if any.
        new: Digest of the new profile.
        now: UTC nanoseconds.

    Raises:
        UsageError: A profile does not exist, or the two have different subjects.
        VerificationError: A stored profile was changed.
    """
    after = load_profile(store, new)[1]
    before = build_empty_profile(after.subject)
    if old:
        before = load_profile(store, old)[1]
    elif stands := signed_baselines.read_active_baselines(store, now).get(
        after.subject
    ):
        before = stands.profile
    if before.subject != after.subject:
        raise UsageError(
            "the two baselines have different subjects",
            f"{profile_subject_id(before.subject)} and {profile_subject_id(after.subject)}",
        )
    changes = [_build_change_item(each) for each in diff_profiles(before, after)]
    following = format_command(
        "baseline", "sign", new, "--key", "KEY", "--stage", "shadow"
    )
    return Document("baseline-diff", changes, build_empty_coverage(), next=following)


def sign_profile(
    store: EvidenceStore,
    name: str,
    signer: StatementSigner,
    stage: BaselineStage,
    *,
    lifetime: int,
    now: int,
    ends_enforcement: bool = False,
) -> Document:
    """Sign a behaviour profile, so that the gateway checks its agent against it.

    Args:
        name: Digest of the profile.
        stage: Whether it blocks calls.
        lifetime: Nanoseconds until it expires.
        now: UTC nanoseconds.
        ends_enforcement: The person confirms that nothing will be blocked.

    Raises:
        UsageError: The profile does not exist, was not in shadow yet, or would end
            enforcement without confirmation.
        VerificationError: The signer is not the attested owner, the key is not valid
            now, or the profile does not follow the one in force. Nothing is recorded.
    """
    full, profile = load_profile(store, name)
    stands = signed_baselines.read_active_baselines(store, now).get(profile.subject)
    _require_owner(store, profile.subject, signer, now)
    if stage is not BaselineStage.SHADOW and (stands is None or stands.digest != full):
        raise UsageError(
            "this baseline is not in shadow mode (expected a baseline in shadow)",
            format_command(
                "baseline", "sign", full[:16], "--stage", "shadow", "--key", "KEY"
            ),
        )
    if turns_off_enforcement(stands, stage) and not ends_enforcement:
        raise UsageError(
            "this ends enforcement: no baseline would restrict "
            f"{profile.subject.agent} at {profile.subject.server} (got stage "
            f"{stage}; the current stage is enforce)",
            format_command(
                "baseline",
                "sign",
                full[:16],
                "--stage",
                stage.value,
                "--ends-enforcement",
                "--key",
                "KEY",
            ),
        )
    expires = signer.signing_time(now) + min(lifetime, MAX_SIGNATURE_LIFETIME)
    content = StatementContent(
        StatementType.BASELINE,
        profile_subject_id(profile.subject),
        build_profile_claims(profile, expires, stage),
    )
    reader = SignedBaselineReader(store)
    reader.sign(
        store,
        content,
        signer,
        now,
        require=lambda made: reader.require_valid(made, now),
    )
    standing = signed_baselines.read_active_baselines(store, now)
    return Document(
        "baselines",
        [build_baseline_item(full, profile, standing)],
        build_empty_coverage(),
    )


def _require_owner(
    store: EvidenceStore, subject: BaselineSubject, signer: StatementSigner, now: int
) -> None:
    """Refuse a key that is not enrolled, and an agent without an attested owner."""
    owner_keys.require_enrolled_key(store, signer.id)
    owner = read_attested_owners(store, now).get(AgentId(subject.agent))
    if owner is None:
        raise VerificationError(
            f"{subject.agent} has no attested owner (expected one to sign)",
            format_command(
                "attest", subject.agent, "--owner", "PERSON", "--key", "KEY"
            ),
        )


def _build_change_item(change: ProfileChange) -> BaselineChangeItem:
    """Convert a change between two profiles to a document item."""
    tally = change.tally
    return {
        "consequence": change.consequence.value,
        "tool": change.tool,
        "path": change.path,
        "text": change.text,
        "count": tally.count,
        "runs": tally.runs,
        "days": tally.days,
        "last": format_time(tally.last * SECOND_NS) if tally.last else None,
        "example": tally.example or None,
    }
