"""Plan the replacement of static credentials by attested platforms (`plan`)."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from answerable.inventory.name_resolution import resolve_entity_by_name
from answerable.model.credential import Credential
from answerable.model.documents.federation_plan import (
    FederationPlanItem,
    PlanStepItem,
)
from answerable.model.documents.least_privilege import ProofItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.google_cloud_ids import get_project_of_service_account
from answerable.model.inventory import CredentialEntity, Inventory
from answerable.model.policy_export import ExportedPolicy
from answerable.model.time_units import DAY_NS, SECOND_NS
from answerable.presentation import answer_coverage
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.policy_text import build_policy_file_items
from answerable.services.posture.key_replacements import (
    NO_PLATFORM,
    KeyReplacement,
    ReplacementNames,
    find_replacement,
    write_platform_terraform,
    write_trust_policy,
    write_trust_rule,
)
from answerable.services.posture.replacement_roles import derive_role
from answerable.services.reach import least_privilege, replaced_policies
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.store.credential_use_queries import (
    LoggedCredentialUse,
    read_credential_use,
    read_log_end,
)
from answerable.store.event_queries import AccountLogSpan, read_account_log_spans
from answerable.store.store import EvidenceStore

IN_USE, SILENT, NOT_KNOWN = "in-use", "silent", "not-known"
# Quiet time of a key with fewer than two logged uses before it counts as silent.
_MIN_QUIET = 30 * DAY_NS
# AWS updates the last use of a key within hours, so that the scan may be later.
_SCAN_DELAY = DAY_NS
_AWS, _GCP = "cred:aws/", "cred:gcp/"
_LABEL = re.compile(r"[^a-z0-9]+")
_MAX_LABEL = 50  # characters; names of roles have at most 64


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Options of a plan.

    Attributes:
        since: UTC nanoseconds; earlier events do not count for the policy.
        now: UTC nanoseconds.
        subject: `sub` of the tokens that the new role trusts.
        issuer: Host of the token service, for keys that it replaces.
        with_policy: Whether the policy is derived.
        uid: User that the workload runs as; None if it is not known.
    """

    since: int
    now: int
    subject: str
    issuer: str
    with_policy: bool = True
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class _KeyUse:
    """Use of a credential, by logs and by the scan."""

    state: str
    last: int
    logged: LoggedCredentialUse | None


@serialize_queries
def plan_replacements(
    store: EvidenceStore,
    inventory: Inventory,
    names: Collection[str],
    options: PlanOptions,
) -> Document:
    """List the static credentials with what replaces each, and the steps.

    Those that no attested platform is known to replace come last.

    Args:
        names: Credentials; empty for all.

    Raises:
        UsageError: A credential is unknown or ambiguous.
    """
    chosen = {resolve_entity_by_name(inventory, n, ("credential",)) for n in names}
    spans = read_account_log_spans(store)
    items = [
        _build_item(store, inventory, entity, replacement, spans, options)
        for key, entity in sorted(inventory.credentials.items())
        if not chosen or key in chosen
        for replacement in [
            find_replacement(entity.sightings, str(entity.identity or ""))
        ]
        if replacement is not None
    ]
    items.sort(key=lambda each: each["replaced_by"] == NO_PLATFORM.name)
    coverage = answer_coverage.build_coverage(inventory, options.now, [])
    verdicts = {proof["verdict"] for item in items for proof in item["proofs"]}
    undecided = "" if inventory.at else "nothing was scanned"
    if replaced_policies.NOT_KNOWN in verdicts:
        undecided = "data for a proof is missing"
    open_uses = sum(each["use"] == NOT_KNOWN for each in items)
    if open_uses and not options.with_policy:
        undecided = f"the use of {open_uses} of {len(items)} credentials is not known"
    return Document(
        "plan",
        items,
        coverage,
        failed=replaced_policies.FAILS in verdicts,
        undecided=undecided,
        note=f"warning: {undecided}" if undecided and items else "",
    )


def _build_item(
    store: EvidenceStore,
    inventory: Inventory,
    entity: CredentialEntity,
    replacement: KeyReplacement,
    spans: dict[str, AccountLogSpan],
    options: PlanOptions,
) -> FederationPlanItem:
    """Build the plan of one credential."""
    first = entity.sightings[0]
    account = next((s.account for s in entity.sightings if s.account), "")
    use = (
        _find_google_use(store, entity)
        if entity.id.startswith(_GCP)
        else _find_use(store, entity, spans.get(account))
    )
    identity = str(entity.identity or "")
    is_root = identity.endswith(":root")
    derived = None
    proofs: list[ProofItem] = []
    exported: ExportedPolicy | None = None
    with_policy = options.with_policy and replacement is not NO_PLATFORM
    if with_policy and not entity.id.startswith(_AWS):
        role = derive_role(
            store, inventory, identity, since=options.since, now=options.now
        )
        proofs, exported = role.list_proof_items(), role.policy
    elif with_policy and identity and not is_root:
        derived = least_privilege.derive_policy(
            store, inventory, identity, since=options.since, now=options.now
        )
        proofs = (
            least_privilege.list_unknown_proof_items()
            if derived is None
            else derived.list_proof_items()
        )
        exported = None if derived is None else derived.policy
    names = ReplacementNames(
        _build_label(entity), account, options.subject, options.issuer
    )
    trust = write_trust_policy(replacement, names)
    policies = build_policy_file_items(exported, names.label) if exported else []
    texts = [each["terraform"] for each in policies]
    return {
        "credential": entity.id,
        "kind": first.kind,
        "name": first.name,
        "place": _choose_place(entity.sightings).place,
        "identity": entity.identity,
        "replaced_by": replacement.name,
        "use": use.state,
        "last_used": format_time(use.last) if use.last else None,
        "longest_pause_s": use.logged.longest_pause // SECOND_NS
        if use.logged and use.logged.longest_pause
        else None,
        "uses": use.logged.count if use.logged else None,
        "trust": trust,
        "terraform": write_platform_terraform(replacement, names, trust, texts),
        "rule": write_trust_rule(replacement, names, options.uid),
        "policies": policies,
        "proofs": proofs,
        "steps": list(_list_steps(entity, replacement, exported, use)),
    }


def _choose_place(sightings: Sequence[Credential]) -> Credential:
    """Choose a sighting where the value is, not a record of the platform."""
    return next((each for each in sightings if each.hint), sightings[0])


def _find_use(
    store: EvidenceStore, entity: CredentialEntity, span: AccountLogSpan | None
) -> _KeyUse:
    """Find whether a credential is still used, by logs and by the scan.

    It is silent only if both agree, and if it is quiet longer than it ever was.
    """
    scanned = max((each.last_used_at for each in entity.sightings), default=0)
    if span is None:
        return _KeyUse(NOT_KNOWN, scanned, None)
    logged = read_credential_use(store, entity.id)
    last = max(scanned, logged.last)
    quiet = span.until - last
    pause = logged.longest_pause or _MIN_QUIET
    if scanned > logged.last + _SCAN_DELAY and scanned > span.since:
        return _KeyUse(IN_USE, last, logged)  # used where no log records it
    if quiet <= pause:
        state = IN_USE if logged.count else NOT_KNOWN
        return _KeyUse(state, last, logged)
    return _KeyUse(SILENT if scanned else NOT_KNOWN, last, logged)


def _find_google_use(store: EvidenceStore, entity: CredentialEntity) -> _KeyUse:
    """Find whether a key of a Google service account is still used, by logs.

    No scan has its last use, so that it never counts as silent.
    """
    email = str(entity.identity or "")
    project = get_project_of_service_account(email)
    key = entity.id.removeprefix(_GCP)
    logged = read_credential_use(
        store, f"cred:gcp-key/projects/{project}/serviceAccounts/{email}/keys/{key}"
    )
    quiet = read_log_end(store, "gcp-audit", project) - logged.last
    is_used = logged.count and quiet <= (logged.longest_pause or _MIN_QUIET)
    return _KeyUse(IN_USE if is_used else NOT_KNOWN, logged.last, logged)


def _build_label(entity: CredentialEntity) -> str:
    """Build the name of the resources: of the identity, and the end of the id."""
    identity = str(entity.identity or "").rpartition("/")[2].lower()
    short = _LABEL.sub("_", identity).strip("_")[:_MAX_LABEL]
    ending = _LABEL.sub("_", entity.id.rpartition("/")[2].lower()).strip("_")[-8:]
    return f"agent_{short}_{ending}" if short else f"agent_{ending}"


def _list_steps(
    entity: CredentialEntity,
    replacement: KeyReplacement,
    policy: ExportedPolicy | None,
    use: _KeyUse,
) -> Iterator[PlanStepItem]:
    """Yield the steps: the new way works, the old key is quiet, off, then gone."""
    if replacement.provider or replacement.trust:
        yield {"step": "Review and apply the Terraform", "command": "terraform plan"}
    step, command = replacement.first_step
    if step:
        yield {"step": step, "command": command}
    if replacement is NO_PLATFORM:
        return
    if policy is not None:
        yield {
            "step": "Compare the new identity's calls with the policy",
            "command": "",
        }
    yield {
        "step": "Wait until the old credential is no longer used",
        "command": f"answerable plan status {entity.id}",
    }
    if not entity.id.startswith(_AWS):
        yield {"step": "Revoke the old credential at its platform", "command": ""}
        return
    key = entity.id.removeprefix(_AWS)
    user = str(entity.identity or "USER").rpartition("/")[2]
    base = f"--user-name {user} --access-key-id {key}"
    blocked = "" if use.state == SILENT else " (when it is no longer used)"
    yield {
        "step": f"Deactivate the old credential; you can activate it again{blocked}",
        "command": f"aws iam update-access-key {base} --status Inactive",
    }
    yield {
        "step": "Delete the old credential after a further period without use",
        "command": f"aws iam delete-access-key {base}",
    }
