"""Document of a policy replay (`gateway try`)."""

from answerable.model.documents.core import Document
from answerable.model.documents.policy_replay import (
    ChangedDecisionsItem,
    PolicyReplayItem,
)
from answerable.model.policy_replay import ChangedDecisions, PolicyReplayResult
from answerable.presentation.inventory_lists import empty_coverage


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
    return Document("replay", [item], empty_coverage())


def _build_changed_item(turned: ChangedDecisions) -> ChangedDecisionsItem:
    return ChangedDecisionsItem(
        agent=turned.agent,
        server=turned.server,
        before=turned.before.value,
        after=turned.after.value,
        passed=turned.passed,
        passes=turned.passes,
        reason=turned.reason.value,
        rules_before=list(turned.rules_before),
        rules=list(turned.rules),
        count=turned.count,
    )
