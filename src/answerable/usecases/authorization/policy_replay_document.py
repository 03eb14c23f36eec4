"""Build the document of a policy replay: changed decisions (`gateway try`)."""

from answerable.model.documents.policy_replay import (
    ChangedDecisionsItem,
    PolicyReplayItem,
)
from answerable.model.documents.shared_shapes import Document
from answerable.model.policy_replay import ChangedDecisions, PolicyReplayResult
from answerable.presentation.answer_coverage import build_empty_coverage


def build_replay_document(policy: str, replayed: PolicyReplayResult) -> Document:
    """Build the document of a policy replay.

    Args:
        policy: Digest of the other policy.
    """
    item = PolicyReplayItem(
        policy=policy,
        calls=replayed.calls,
        left_out=replayed.left_out,
        would_have_denied=replayed.held_back,
        would_have_passed=replayed.let_through,
        in_name=replayed.in_name,
        turned=[_build_changed_item(each) for each in replayed.turned],
        more=replayed.more,
    )
    return Document("replay", [item], build_empty_coverage())


def _build_changed_item(change: ChangedDecisions) -> ChangedDecisionsItem:
    """Convert a group of changed decisions to a document item."""
    return ChangedDecisionsItem(
        agent=change.agent,
        server=change.server,
        before=change.before.value,
        after=change.after.value,
        passed=change.passed,
        passes=change.passes,
        reason=change.reason.value,
        rules_before=list(change.rules_before),
        rules=list(change.rules),
        count=change.count,
    )
