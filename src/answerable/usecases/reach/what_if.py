"""Compare permissions before and after a policy edit (command `what-if`)."""

from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.presentation import answer_coverage
from answerable.presentation.command_hints import format_command
from answerable.reach import engine
from answerable.reach.acting_agents import list_agents_by_identity_used
from answerable.reach.condition_formula import Verdict
from answerable.reach.platform import (
    AppliedEdit,
    PermissionPlatform,
    PolicyEdit,
    Question,
    UnknownSubject,
)
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.platform_registry import PLATFORMS, open_platforms
from answerable.services.reach.policy_edit_target import require_policy_target
from answerable.services.reach.subject_resolution import resolve_subject
from answerable.services.reach.unknown_verdict_rows import (
    build_unknown_reason_items,
    describe_search_scope,
    suggest_scan_command,
)


@serialize_queries
def compare_policy_edit(
    inventory: Inventory,
    subject: str,
    edit: PolicyEdit,
    *,
    now: int,
    action: str = "*",
    resource: str = "*",
    limit: int = 0,
) -> Document:
    """List the changes of an edit for a subject, or for all.

    Args:
        subject: Agent, identity or credential; empty for every identity.
        now: UTC nanoseconds.
        action: Only permissions that could be an action matching this glob.
        resource: Only permissions that could touch a resource matching this glob.
        limit: Most items; 0 for all.

    Raises:
        UsageError: The subject is not known, or the edit is invalid.
    """
    if edit.is_empty:
        raise UsageError(
            "what-if requires an edit (got none)",
            "use --without STATEMENT, --without-policy POLICY or --with FILE",
        )
    name = resolve_subject(inventory, subject) if subject else ""
    require_policy_target(inventory, name, edit)
    question = Question(now, name, action, resource)
    platform, applied = engine.open_policy_edit(PLATFORMS, inventory, question, edit)
    return list_access_differences(inventory, platform, applied, question, limit)


def list_access_differences(
    inventory: Inventory,
    platform: PermissionPlatform,
    applied: AppliedEdit,
    question: Question,
    limit: int,
) -> Document:
    """List the access that differs before and after a policy edit."""
    before, after = (
        open_platforms(inventory, question, {platform.name: side})
        for side in (applied.before, applied.after)
    )
    changes, found = engine.list_changes_of_edit(
        (before, after), platform, applied, limit
    )
    items = [
        *changes.items,
        *(
            _build_uncollected_subject_item(inventory, question, each)
            for each in found.unknown
        ),
    ]
    missing = changes.not_collected.union(found.not_collected)
    coverage = answer_coverage.build_coverage(inventory, question.now, sorted(missing))
    if changes.unread:
        coverage["partial"] = True
    if not question.subject:
        coverage["looked"] = describe_search_scope(before, platform)
    if changes.shown:
        coverage["shown"] = {**changes.shown, "rows": len(items)}
    following = suggest_scan_command(found.unknown)
    if not following and items:
        following = format_command("reach", items[0]["subject"])
    return Document("what-if", items, coverage, next=following)


def _build_uncollected_subject_item(
    inventory: Inventory, question: Question, unknown: UnknownSubject
) -> AccessChangeItem:
    """Build the item of a subject whose permissions were not collected."""
    return {
        "change": "not-known",
        "kind": "permission",
        "subject": question.subject,
        "action": question.action,
        "resource": question.resource,
        "before": Verdict.NOT_KNOWN,
        "after": Verdict.NOT_KNOWN,
        "covers_before": "part",
        "covers_after": "part",
        "admin": False,
        "agents": list_agents_by_identity_used(inventory, question.subject),
        "determining": [],
        "path": [],
        "assuming": [],
        "unknown": build_unknown_reason_items(inventory, [unknown]),
    }
