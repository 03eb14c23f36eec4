"""Export the profiles of an agent as a policy of another system (`baseline export`)."""

from collections.abc import Collection, Mapping

from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.model.baseline import BaselineProfile, BaselineSubject
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.policy_export import ExportTarget
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.presentation.command_hints import format_command
from answerable.presentation.policy_text import build_exported_policy_items
from answerable.services.baseline.policy_export import export_profiles
from answerable.services.baseline.profile_learning import BASELINE, load_profile
from answerable.services.statements import signed_baselines
from answerable.services.statements.signed_baselines import ActiveBaseline
from answerable.store.store import EvidenceStore

_TOOL_TARGETS = (ExportTarget.CEDAR, ExportTarget.MCP_ALLOWLIST)


def export_policy(
    store: EvidenceStore,
    name: str,
    target: str,
    *,
    now: int,
    any_resource: Collection[str] = (),
) -> Document:
    """Compile the profiles of an agent, or one profile, to a policy of a target.

    Args:
        name: Digest of a profile, or the id of an agent: then its signed profiles, or
            its newest ones if none is signed.
        target: One of `ExportTarget`.
        now: UTC nanoseconds.
        any_resource: IAM actions that a person allows on every resource.

    Raises:
        UsageError: There is no such profile.
    """
    kind = ExportTarget(target)
    active = signed_baselines.read_active_baselines(store, now)
    digests, is_signed = _select_profiles(store, name, kind, active)
    exported = export_profiles(
        [profile for _, profile in digests],
        kind,
        is_signed=is_signed,
        any_resource=any_resource,
    )
    subject = digests[0][1].subject
    label = subject.agent.rpartition("/")[2] or subject.identity.rpartition("/")[2]
    items = build_exported_policy_items(
        exported,
        label=label,
        profiles=[digest for digest, _ in digests],
        is_signed=is_signed,
    )
    return Document(
        "baseline-export",
        list(items),
        build_empty_coverage(),
        failed=bool(exported.refusals),
    )


def _select_profiles(
    store: EvidenceStore,
    name: str,
    target: ExportTarget,
    active: Mapping[BaselineSubject, ActiveBaseline],
) -> tuple[list[tuple[str, BaselineProfile]], bool]:
    """Select profiles with their digests, and tell whether all of them are signed.

    Raises:
        UsageError: No profile matches.
    """
    if not name.startswith("agent:"):
        digest, profile = load_profile(store, name)
        stands = active.get(profile.subject)
        return [(digest, profile)], stands is not None and stands.digest == digest
    wants_tools = target in _TOOL_TARGETS

    def fits(subject: BaselineSubject) -> bool:
        is_cloud = subject.server == CLOUD_SERVER
        return subject.agent == name and is_cloud is not wants_tools

    signed = [(b.digest, b.profile) for s, b in active.items() if fits(s)]
    if signed:
        return sorted(signed, key=lambda each: each[0]), True
    newest: dict[BaselineSubject, tuple[str, BaselineProfile]] = {}
    for each in store.list_objects(BASELINE):
        profile = load_profile(store, each.digest)[1]
        if fits(profile.subject):
            newest[profile.subject] = (each.digest, profile)
    if not newest:
        learn = ["baseline", "learn", name.removeprefix("agent:declared/")]
        if not wants_tools:
            learn += ["--cloud", "--identity", "ARN"]
        raise UsageError(
            f"{name} has no baseline for {target.value}", format_command(*learn)
        )
    return sorted(newest.values(), key=lambda each: each[0]), False
