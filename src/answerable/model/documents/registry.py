"""Item type of each kind of document: one line registers a kind for every format."""

from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from typing import cast

from answerable.model.documents.columns import Column, DocumentColumn, list_item_columns
from answerable.model.documents.shared_shapes import Document

# Module and type of each kind, imported when needed: a command loads its own alone.
# A kind without an item type, such as `sql`, takes its columns from its items.
ITEM_TYPES: Mapping[str, str] = {
    "agents": "inventory:AgentItem",
    "tools": "inventory:ToolItem",
    "identities": "inventory:IdentityItem",
    "credentials": "inventory:CredentialItem",
    "people": "inventory:PersonItem",
    "show": "show:ShowItem",
    "snapshots": "shared_shapes:SnapshotItem",
    "scan": "shared_shapes:ScanItem",
    "where": "evidence:ProbeItem",
    "ingest": "shared_shapes:IngestItem",
    "who-owns": "owners:OwnershipItem",
    "attest": "owners:OwnershipItem",
    "owner-keys": "owners:OwnerKeyItem",
    "owner-keys-new": "owners:NewOwnerKeyItem",
    "asks": "approval_requests:ApprovalRequestItem",
    "amendments": "approval_requests:PolicyExceptionItem",
    "requests": "person_requests:PersonRequestItem",
    "kill": "revocation:RevocationEffectItem",
    "decision": "decisions:DecisionItem",
    "replay": "policy_replay:PolicyReplayItem",
    "baselines": "baseline:BaselineItem",
    "baseline": "baseline:BaselineItem",
    "baseline-diff": "baseline:BaselineChangeItem",
    "baseline-replay": "baseline:BaselineReplayItem",
    "access-replay": "access_replay:AccessReplayItem",
    "baseline-check": "baseline:BaselineCheckItem",
    "baseline-deployed": "policy_export:DeployedDriftItem",
    "baseline-export": "policy_export:ExportedPolicyItem",
    "tools-diff": "pins:DefinitionDiffItem",
    "tools-approve": "pins:DefinitionApprovalItem",
    "reach": "shared_shapes:ReachItem",
    "who-can": "shared_shapes:ReachItem",
    "can": "shared_shapes:PermissionCheckItem",
    "reach-all": "what_if:ExposureItem",
    "reach-used": "permission_usage:ActionUsageItem",
    "plan": "federation_plan:FederationPlanItem",
    "least-privilege": "least_privilege:LeastPrivilegeItem",
    "reach-compared": "shared_shapes:AwsComparisonItem",
    "findings": "finding:FindingItem",
    "finding-trend": "finding_trend:FindingTrendItem",
    "what-if": "what_if:AccessChangeItem",
    "export": "evidence:ExportedFileItem",
    "diff": "difference:DifferenceItem",
    "what-if-cuts": "what_if:CutSetItem",
    "trace": "trace:TraceItem",
    "saved-queries": "trace:SavedQueryItem",
    "trace-first-seen": "trace:FirstSeenItem",
    "trace-unmediated": "trace:UnmediatedEventItem",
    "trace-score": "trace:HopStatusCountItem",
    "protect-status": "protection:ProtectionStatusItem",
    "agent-mode": "protection:AgentModeItem",
    "doctor": "evidence:CheckItem",
    "verify": "evidence:CheckItem",
    "checkpoint": "evidence:CheckpointItem",
    "prove": "evidence:InclusionProofItem",
    "bundle": "evidence:EvidenceBundleItem",
    "store": "store:StoreDayItem",
    "store-changes": "store:StoreChangeItem",
    "holds": "store:HoldItem",
    "cases": "cases:CaseItem",
    "case": "cases:CaseRecordItem",
    "case-bundle": "cases:CaseBundleItem",
    "login": "login:LoginItem",
    "credential-policies": "credential_policies:CredentialPolicyItem",
    "sts-rules": "trust_rules:TrustRuleItem",
    "sts-test": "trust_rules:RuleMatchItem",
    "sts-explain": "trust_rules:TokenCheckItem",
}


def list_document_columns(document: Document) -> tuple[DocumentColumn, ...]:
    """List the columns of a document: as declared, else the fields of its items."""
    if document.kind in ITEM_TYPES:
        return list_item_columns(get_item_type_of_document_kind(document.kind))
    names = dict.fromkeys(name for item in document.items for name in item)
    return tuple(
        DocumentColumn(
            name,
            (name,),
            Column("", name, at, floor=10),
            _infer_column_type([item.get(name) for item in document.items]),
        )
        for at, name in enumerate(names)
    )


def get_item_type_of_document_kind(kind: str) -> type:
    """Return the item type of a registered kind."""
    return cast("type", resolve_name(f"{__package__}.{ITEM_TYPES[kind]}"))


def _infer_column_type(values: Sequence[object]) -> type:
    """Return the type of the values of a column: numbers or text."""
    known = [value for value in values if value is not None]
    return float if all(isinstance(value, int | float) for value in known) else str


def list_single_fact_columns(document: Document) -> list[DocumentColumn]:
    """List the columns that hold one fact each."""
    return [each for each in list_document_columns(document) if not each.is_object]


def list_default_table_columns(document: Document) -> list[DocumentColumn]:
    """List the columns that a table shows without request."""
    return [each for each in list_document_columns(document) if each.is_visible]
