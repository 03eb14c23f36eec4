"""Build the signing actions on a finding: accept it for a time, reopen or assign it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from answerable.evidence.finding_reviews import is_finding_id
from answerable.inventory.person_directory import describe_unknown_person
from answerable.model.errors import UsageError
from answerable.model.finding_review import FindingReview, ReviewAction
from answerable.model.time_units import DAY_NS
from answerable.presentation.command_hints import format_command
from answerable.usecases.posture.review_findings import (
    parse_last_day,
    parse_reason,
    review_finding,
)
from answerable.web.pages.findings import (
    FINDING_PERMISSIONS,
    REVIEW_SPANS,
    get_shown_findings,
)
from answerable.web.routing import Forbidden
from answerable.web.signing_action import ActionFields, SigningAction, read_choice
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

if TYPE_CHECKING:
    from answerable.web.store_cache import StoreCache


def build_finding_acceptance(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that accepts a finding for a time, with a reason."""
    key, title = _find_title(cache, visitor, fields)
    reason = parse_reason(fields.get("reason", ""))
    span = read_choice(fields, "for", "30d", REVIEW_SPANS)
    end = cache.now + int(span.removesuffix("d")) * DAY_NS
    until = datetime.fromtimestamp(end // 10**9, tz=UTC).date().isoformat()
    draft = FindingReview(
        key,
        ReviewAction.SUPPRESS,
        "",
        reason=reason,
        expires=parse_last_day(until, cache.now),
    )
    return _build_action(
        cache,
        draft,
        title=f"You accept until {until}: {title}",
        follows=(
            "It is no longer counted as open, and the exit code of `findings` ignores "
            "it. Afterwards, or if your key is revoked, it is open again. Nothing is "
            "repaired by this.",
        ),
        command=("suppress", key, "--reason", reason, "--until", until),
        confirmation=f"Signed: accepted until {until}.",
    )


def build_finding_reopening(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that ends the acceptance of a finding."""
    key, title = _find_title(cache, visitor, fields)
    return _build_action(
        cache,
        FindingReview(key, ReviewAction.REOPEN, ""),
        title=f"You open again: {title}",
        follows=("It is counted as open from now on.",),
        command=("reopen", key),
        confirmation="Signed: the finding is open.",
    )


def build_finding_assignment(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that assigns a finding to a person; to none if it is empty."""
    key, title = _find_title(cache, visitor, fields)
    person = fields.get("assignee", "").strip().removeprefix("person:")
    if len(person) > 200 or not person.isprintable():
        raise UsageError(
            f"not a person (got {person[:80]!r}, expected one address or handle)",
            "known people are listed at /people",
        )
    unknown = (
        describe_unknown_person(cache.current_view().inventory, person)
        if person
        else ""
    )
    return _build_action(
        cache,
        FindingReview(key, ReviewAction.ASSIGN, "", assignee=person),
        title=f"You assign to {person}: {title}"
        if person
        else f"You end the assignment of: {title}",
        follows=(
            "The list of findings shows the assignment. It gives no permissions.",
            *((f"Warning: {unknown}",) if unknown else ()),
        ),
        command=("assign", key, *((person,) if person else ())),
        confirmation=f"Signed: assigned to {person}."
        if person
        else "Signed: assigned to nobody.",
    )


def _find_title(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> tuple[str, str]:
    """Return id and title of a finding that the visitor may see and review.

    Raises:
        Forbidden: The visitor may not, there is none, or its rule was not evaluated.
    """
    key = fields.get("id", "")
    may = WebPermission.OWN in visitor.may and FINDING_PERMISSIONS & visitor.may
    if not may or visitor.person is None or not is_finding_id(key):
        raise Forbidden
    item = get_shown_findings(cache).by_key.get(key)
    if item is None or item["state"] == "not-evaluated":
        raise Forbidden
    return key, item["title"]


def _build_action(
    cache: "StoreCache",
    draft: FindingReview,
    *,
    title: str,
    follows: tuple[str, ...],
    command: tuple[str, ...],
    confirmation: str,
) -> SigningAction:
    """Build the action that signs a review."""
    return SigningAction(
        title=title,
        follows=follows,
        subject=draft.finding,
        execute=lambda store, signer, now: review_finding(
            store,
            cache.current_view().inventory,
            draft,
            signer,
            now=now,
            argument_limits=cache.read_argument_limits(),
        ),
        command=format_command("findings", *command, "--key", "KEY"),
        back=build_url("/finding", id=draft.finding),
        confirmation=confirmation,
    )
