"""Export the profiles of an agent as a policy of another system (`baseline export`)."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.model.baseline import BaselineProfile, BaselineSubject
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.policy_export import ClauseReason, ExportTarget
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.presentation.command_hints import format_command
from answerable.presentation.policy_text import build_exported_policy_items
from answerable.services.baseline.policy_export import export_profiles
from answerable.services.baseline.profile_learning import BASELINE, load_profile
from answerable.services.statements import signed_baselines
from answerable.services.statements.signed_baselines import ActiveBaseline
from answerable.store.store import EvidenceStore

_TOOL_TARGETS = (ExportTarget.CEDAR, ExportTarget.MCP_ALLOWLIST)
_OTHER_TARGETS = (*_TOOL_TARGETS, ExportTarget.K8S_RBAC, ExportTarget.AZURE)


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
        UsageError: There is no such profile, or the resource of such an action is known.
    """
    kind = ExportTarget(target)
    active = signed_baselines.read_active_baselines(store, now)
    digests, is_signed = _select_profiles(store, name, kind, active)
    learned = [profile for _, profile in digests]
    exported = export_profiles(
        learned,
        kind,
        is_signed=is_signed,
        any_resource=list(
            _select_actions_without_resource(learned, kind, any_resource)
        ),
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


def _select_actions_without_resource(
    profiles: Sequence[BaselineProfile], target: ExportTarget, names: Collection[str]
) -> Iterable[str]:
    """Yield the actions that a person allows on every resource, in their spelling.

    Raises:
        UsageError: The profiles have no such action without a known resource, or it
            grants further permissions.
    """
    if names and target in _OTHER_TARGETS:
        raise UsageError(
            f"a policy for {target.value} has no --any-resource",
            "--any-resource is for targets of AWS and Google Cloud",
        )
    omitted = export_profiles(profiles, target).omitted if names else ()
    lacking = {
        each.action.lower(): each.action
        for each in omitted
        if each.reason is ClauseReason.RESOURCE_NOT_RECORDED
        or (each.reason is ClauseReason.WOULD_WIDEN and target is ExportTarget.GCP)
    }
    privileged = {
        each.action.lower()
        for each in omitted
        if each.reason is ClauseReason.NEEDS_SIGNATURE
    }
    known = ", ".join(sorted(lacking.values()))
    for name in names:
        if name.lower() in privileged:
            raise UsageError(
                f"{name} grants further permissions, so it needs a known resource",
                "omit it from --any-resource",
            )
        if name.lower() not in lacking:
            raise UsageError(
                f"no action of the profile that lacks a resource has this name (got "
                f"--any-resource {name!r}, expected a full name)",
                f"these lack a resource: {known}" if known else "omit --any-resource",
            )
        yield lacking[name.lower()]


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
