"""Repairs of workflows that outsiders start, for their events and permissions.

Source: GitHub Docs, "Webhook events and payloads" (`author_association`), "Events that
trigger workflows" and "Workflow syntax for GitHub Actions" (`permissions`).
"""

import re
from collections.abc import Sequence

from answerable.posture.rule import Fix, ValueEdit

_MEMBERS = """contains(fromJSON('["OWNER", "MEMBER", "COLLABORATOR"]'), {})"""
# Member of the event's payload that has the association of its author.
_AUTHORS = {
    "issue_comment": "comment",
    "pull_request_review_comment": "comment",
    "discussion_comment": "comment",
    "issues": "issue",
    "pull_request_target": "pull_request",
    "pull_request_review": "review",
    "discussion": "discussion",
}
# Conditions of events whose payload has no author of a text.
_OTHER_CONDITIONS = {
    "workflow_run": (
        "github.event.workflow_run.head_repository.full_name == github.repository"
    ),
}
_EVENT = re.compile(r"[a-z_]+")
_READ = "permissions: {contents: read}"
_READ_ONLY = ValueEdit(
    "permissions",
    {"write-all": "{contents: read}", "write": "read"},
    ("id-token",),
    "{contents: read}",
)


def build_outsider_fix(
    outsider_events: Sequence[str],
    events: Sequence[str],
    permissions: str,
    *,
    writes: bool,
) -> Fix:
    """Build the repair of a workflow agent that outsiders can start.

    Args:
        outsider_events: Events that an outsider can cause.
        events: All events of the workflow.
        permissions: `SCOPE: ACCESS, ...`, `all: write` or `not stated`.
        writes: Whether its token may write.
    """
    guarded = [each for each in outsider_events if _get_condition(each)]
    open_events = [each for each in outsider_events if not _get_condition(each)]
    texts = []
    if guarded:
        texts.append(
            "Start the job only for members: give it the condition "
            f"`if: {_join_conditions(guarded, events)}`."
        )
    if open_events:
        names = " and ".join(f"`{each}`" for each in open_events)
        texts.append(f"Remove the trigger {names}, which anyone can cause.")
    if not writes:
        return Fix(" ".join(texts))
    texts.append(f"Give its token only read permissions: `{_READ}`.")
    diff = _build_permissions_diff(permissions)
    return Fix(" ".join(texts), diff=diff, edit=_READ_ONLY)


def _get_condition(event: str) -> str:
    """Return the condition under which no outsider caused an event; empty for none."""
    if event in _AUTHORS:
        return _MEMBERS.format(f"github.event.{_AUTHORS[event]}.author_association")
    return _OTHER_CONDITIONS.get(event, "")


def _join_conditions(guarded: Sequence[str], events: Sequence[str]) -> str:
    """Join the conditions of events; other events of the workflow stay as they are."""
    others = [each for each in events if each not in guarded and _EVENT.fullmatch(each)]
    if len(guarded) == 1 and not others:
        return _get_condition(guarded[0])
    grouped: dict[str, list[str]] = {}
    for each in guarded:
        grouped.setdefault(_get_condition(each), []).append(each)
    parts = [f"github.event_name == '{each}'" for each in others]
    for condition, same in grouped.items():
        named = " || ".join(f"github.event_name == '{each}'" for each in same)
        named = f"({named})" if len(same) > 1 else named
        parts.append(f"({named} && {condition})")
    return " || ".join(parts)


def _build_permissions_diff(permissions: str) -> str:
    """Build the edit of the permissions: one line, or the lines that grant a write."""
    if permissions in ("", "not stated"):
        return f"+{_READ}\n"
    stated = [each.partition(": ") for each in permissions.split(", ")]
    if any(scope == "all" for scope, _, _ in stated):
        return f"-permissions: write-all\n+{_READ}\n"
    return "".join(
        f"-  {scope}: {access}\n+  {scope}: read\n"
        for scope, _, access in stated
        if access in ("write", "admin") and scope != "id-token"
    )
