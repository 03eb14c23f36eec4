"""Permissions of a subject as one of the identities that it can become."""

from dataclasses import replace

from answerable.model.ids import IdentityId
from answerable.reach.answer_items import build_item_without_statements
from answerable.reach.condition_formula import Verdict
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import (
    Answer,
    AnswerList,
    PageBounds,
    Question,
    SubjectIdentity,
    UnknownSubject,
)
from answerable.reach.subject_identities import SubjectIdentities

PATHS = (
    "paths"  # in the coverage of an answer: steps between identities are not followed
)


def list_permissions_as(
    opened: OpenPlatforms,
    alone: OpenPlatforms,
    question: Question,
    target: IdentityId,
    page: PageBounds,
) -> tuple[AnswerList, SubjectIdentities]:
    """List what a subject can do as one identity, with the path to it.

    Without a path, the list is empty, or `not-known` if paths are not followed.

    Args:
        opened: Platforms on which steps between identities are followed.
        alone: Platforms on which each identity acts by itself.

    Raises:
        UsageError: No action or resource can match, or the cursor is malformed.
    """
    found = opened.find_identities(question.subject)
    platform = opened.find_platform(target)
    if platform is None:
        return _build_unclaimed_answer(opened, question, target), found
    starts = opened.select_identities(platform, found)
    evaluator = opened.open(platform)
    probe = evaluator.list_permissions(
        replace(question, identities=starts), PageBounds(rows=1, identities=1)
    )
    missing = probe.not_collected | opened.list_unmodelled_words(found.starts)
    missing |= frozenset(found.not_collected)
    unknown = list(found.apart)
    if PATHS in missing:
        paths = tuple(each for each in starts if each.identity == target)
        if not paths:
            because = "there are too many identities to follow the paths between them"
            unknown.append(UnknownSubject(question.subject, because, ""))
    else:
        paths = tuple(evaluator.find_paths(starts, {target}))
    listed = alone.open(platform).list_permissions(
        replace(question, identities=paths, direct=True), page
    )
    rows = () if page.cursor else tuple(_build_row(question, one) for one in unknown)
    answers = (*listed.answers, *rows)
    return replace(
        listed, answers=answers, not_collected=listed.not_collected | missing
    ), replace(found, apart=tuple(unknown))


def _build_unclaimed_answer(
    opened: OpenPlatforms, question: Question, target: IdentityId
) -> AnswerList:
    """Answer `not-known` for an identity that no platform evaluates."""
    reason = opened.resolve_identity(SubjectIdentity(question.subject, target))
    if isinstance(reason, SubjectIdentity):
        return AnswerList(())
    return AnswerList((_build_row(question, reason),))


def _build_row(question: Question, reason: UnknownSubject) -> Answer:
    """Build the `not-known` row of a question."""
    bare = build_item_without_statements(
        question.subject, question.action, question.resource, Verdict.NOT_KNOWN
    )
    return Answer(bare, (reason,))
