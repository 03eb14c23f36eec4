"""Learn the profile of an agent's identity from platform logs (`baseline learn`)."""

import msgspec

from answerable.baseline.profile_document import encode_profile, profile_document_digest
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.event import EventOutcome
from answerable.model.google_cloud_ids import is_service_account, normalise_principal
from answerable.model.ids import AgentId
from answerable.model.kubernetes_ids import parse_subject_id
from answerable.model.policy_export import ExportTarget
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.services.baseline.cloud_profiles import learn_from_events
from answerable.services.baseline.profile_learning import BASELINE, WINDOW
from answerable.services.baseline.profiles import build_baseline_item
from answerable.services.statements import signed_baselines
from answerable.store.monitored_call_queries import find_events_of_identity
from answerable.store.store import EvidenceStore


def learn_cloud_profile(
    store: EvidenceStore, agent: AgentId, identity: str, *, since: int, now: int
) -> Document:
    """Learn a profile from the successful events of an identity, as a draft.

    Args:
        agent: Agent whose attested owner signs the profile.
        identity: Name in events, e.g. the ARN of a role.
        since: UTC nanoseconds, inclusive; at most 90 days ago.
        now: UTC nanoseconds.

    Raises:
        UsageError: The store has no successful event of it.
    """
    begin = max(since, now - WINDOW)
    events = [
        each
        for each in find_events_of_identity(store, identity, since=begin, until=now)
        if each.outcome is EventOutcome.SUCCESS
    ]
    if not events:
        raise UsageError(
            f"the store has no successful event of {identity} since "
            f"{format_time(begin)}",
            "ingest an audit log: answerable ingest cloudtrail:PATH",
        )
    profile = learn_from_events(events, identity, now, agent)
    standing = signed_baselines.read_active_baselines(store, now)
    stands = standing.get(profile.subject)
    if stands is not None:
        parent = profile_document_digest(encode_profile(stands.profile))
        profile = msgspec.structs.replace(
            profile, parent=parent, stance=stands.profile.stance
        )
    name = store.put_object(BASELINE, encode_profile(profile), now)
    item = build_baseline_item(name, profile, standing)
    target = _choose_target(identity)
    following = format_command("baseline", "export", name[:16], "--to", target.value)
    return Document("baselines", [item], build_empty_coverage(), next=following)


def _choose_target(identity: str) -> ExportTarget:
    """Choose the kind of policy that the platform of an identity takes."""
    if parse_subject_id(identity):
        return ExportTarget.K8S_RBAC
    if is_service_account(normalise_principal(identity)):
        return ExportTarget.GCP
    is_azure = identity.startswith("entra:")
    return ExportTarget.AZURE if is_azure else ExportTarget.AWS_POLICY
