"""Item type of each kind of document: one line registers a kind for every format."""

from answerable.model.documents.approval_requests import (
    ApprovalRequestItem,
    PolicyExceptionItem,
)
from answerable.model.documents.baseline import (
    BaselineChangeItem,
    BaselineCheckItem,
    BaselineItem,
    BaselineReplayItem,
)
from answerable.model.documents.columns import (
    Column,
    DocumentColumn,
    list_columns,
)
from answerable.model.documents.core import (
    AwsComparisonItem,
    Document,
    IngestItem,
    PermissionCheckItem,
    ReachItem,
    ScanItem,
    SnapshotItem,
)
from answerable.model.documents.decisions import DecisionItem
from answerable.model.documents.evidence import (
    CheckItem,
    CheckpointItem,
    EvidenceBundleItem,
    InclusionProofItem,
    ProbeItem,
)
from answerable.model.documents.inventory import (
    AgentItem,
    CredentialItem,
    IdentityItem,
    PersonItem,
    ToolItem,
)
from answerable.model.documents.login import LoginItem
from answerable.model.documents.owners import (
    NewOwnerKeyItem,
    OwnerKeyItem,
    OwnershipItem,
)
from answerable.model.documents.permission_usage import ActionUsageItem
from answerable.model.documents.person_requests import PersonRequestItem
from answerable.model.documents.pins import DefinitionApprovalItem, DefinitionDiffItem
from answerable.model.documents.policy_replay import PolicyReplayItem
from answerable.model.documents.revocation import RevocationEffectItem
from answerable.model.documents.show import ShowItem
from answerable.model.documents.trace import (
    HopStatusCountItem,
    TraceItem,
    UnmediatedEventItem,
)
from answerable.model.documents.trust_rules import (
    RuleMatchItem,
    TokenCheckItem,
    TrustRuleItem,
)
from answerable.model.documents.what_if import (
    AccessChangeItem,
    CutSetItem,
    ExposureItem,
)

# A kind without an item type, such as `sql`, takes its columns from its items.
ITEM_TYPES: dict[str, type] = {
    "agents": AgentItem,
    "tools": ToolItem,
    "identities": IdentityItem,
    "credentials": CredentialItem,
    "people": PersonItem,
    "show": ShowItem,
    "snapshots": SnapshotItem,
    "scan": ScanItem,
    "where": ProbeItem,
    "ingest": IngestItem,
    "who-owns": OwnershipItem,
    "attest": OwnershipItem,
    "owner-keys": OwnerKeyItem,
    "owner-keys-new": NewOwnerKeyItem,
    "asks": ApprovalRequestItem,
    "amendments": PolicyExceptionItem,
    "requests": PersonRequestItem,
    "kill": RevocationEffectItem,
    "decision": DecisionItem,
    "replay": PolicyReplayItem,
    "baselines": BaselineItem,
    "baseline": BaselineItem,
    "baseline-diff": BaselineChangeItem,
    "baseline-replay": BaselineReplayItem,
    "baseline-check": BaselineCheckItem,
    "tools-diff": DefinitionDiffItem,
    "tools-approve": DefinitionApprovalItem,
    "reach": ReachItem,
    "who-can": ReachItem,
    "can": PermissionCheckItem,
    "reach-all": ExposureItem,
    "reach-used": ActionUsageItem,
    "reach-compared": AwsComparisonItem,
    "what-if": AccessChangeItem,
    "what-if-cuts": CutSetItem,
    "trace": TraceItem,
    "trace-unmediated": UnmediatedEventItem,
    "trace-score": HopStatusCountItem,
    "doctor": CheckItem,
    "verify": CheckItem,
    "checkpoint": CheckpointItem,
    "prove": InclusionProofItem,
    "bundle": EvidenceBundleItem,
    "login": LoginItem,
    "sts-rules": TrustRuleItem,
    "sts-test": RuleMatchItem,
    "sts-explain": TokenCheckItem,
}


def list_document_columns(document: Document) -> tuple[DocumentColumn, ...]:
    """List the columns of a document: as declared, else the fields of its items."""
    declared = ITEM_TYPES.get(document.kind)
    if declared is not None:
        return list_columns(declared)
    names = dict.fromkeys(name for item in document.items for name in item)
    return tuple(
        DocumentColumn(name, (name,), Column("", name, at, floor=10))
        for at, name in enumerate(names)
    )


def list_leaf_columns(document: Document) -> list[DocumentColumn]:
    """List the columns that hold one fact each."""
    return [each for each in list_document_columns(document) if not each.is_object]


def list_table_columns(document: Document) -> list[DocumentColumn]:
    """List the columns that a table shows without request."""
    return [each for each in list_document_columns(document) if each.is_visible]
