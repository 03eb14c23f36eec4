"""List the callers that can make a call by steps from other platforms."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from answerable.model.documents.shared_shapes import TruncationItem
from answerable.model.ids import IdentityId
from answerable.reach.answer_items import (
    build_item_without_statements,
    parse_row_cursor,
)
from answerable.reach.formula import Verdict
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import (
    Answer,
    AnswerList,
    PageBounds,
    PermissionPlatform,
    Question,
    SubjectIdentity,
)

_RANKS = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN, Verdict.NEVER)


def list_entering_callers(
    opened: OpenPlatforms,
    platform: PermissionPlatform,
    question: Question,
    page: PageBounds,
) -> AnswerList:
    """List the callers that enter identities of the platform, the surest first.

    Args:
        page: The cursor is the number of callers before the page.

    Raises:
        UsageError: The cursor is malformed.
    """
    first = parse_row_cursor(page.cursor or "0")
    entered = opened.enter_from_all(platform)
    answers = list(_evaluate_callers(opened, platform, question, entered.starts))
    missing = frozenset[str]().union(*(each.not_collected for each in answers))
    found = sorted(
        (each for each in answers if each.verdict is not Verdict.NEVER), key=_rank
    )
    found += [
        Answer(
            build_item_without_statements(
                each.id, question.action, question.resource, Verdict.NOT_KNOWN
            ),
            (each,),
        )
        for each in entered.unknown
    ]
    end = first + page.rows if page.rows else len(found)
    is_cut = end < len(found)
    cut = tuple(found[first:end])
    return AnswerList(
        cut,
        missing | {f"{each.id}: {each.because}" for each in entered.unknown},
        any(each.unread for each in answers),
        str(end) if is_cut and page.cursor is not None else "",
        len(cut),
        TruncationItem(rows=len(cut), what="callers", done=end, of=len(found))
        if is_cut and page.cursor is None
        else None,
    )


def _evaluate_callers(
    opened: OpenPlatforms,
    platform: PermissionPlatform,
    question: Question,
    starts: Sequence[SubjectIdentity],
) -> Iterator[Answer]:
    """Evaluate the call for each caller that enters an identity of the platform.

    A caller of the platform itself counts only if it can do more by entering.
    """
    evaluator = opened.open(platform)

    def evaluate(subject: str, identities: tuple[SubjectIdentity, ...]) -> Answer:
        return evaluator.evaluate(
            replace(question, subject=subject, identities=identities)
        )

    @cache
    def evaluate_alone(identity: IdentityId) -> Answer | None:
        found = evaluator.resolve_identity(SubjectIdentity(identity, identity))
        if isinstance(found, SubjectIdentity):
            return evaluate(identity, (found,))
        return None

    callers: dict[str, list[SubjectIdentity]] = {}
    for start in starts:
        alone = evaluate_alone(start.identity)
        if alone is None or alone.verdict is not Verdict.NEVER:
            callers.setdefault(start.subject, []).append(start)
        else:
            yield alone
    for subject, entered in callers.items():
        answer = evaluate(subject, tuple(entered))
        own = None
        if opened.find_platform(subject) is platform:
            own = evaluate_alone(IdentityId(subject))
        if own is None or _get_grade(answer) < _get_grade(own):
            yield answer


def _get_grade(answer: Answer) -> int:
    """Return the position of the verdict, the surest first."""
    return _RANKS.index(answer.verdict)


def _rank(answer: Answer) -> tuple[int, int, str]:
    """Rank answers: by verdict, then by the number of steps, then by subject."""
    item = answer.item
    return _get_grade(answer), len(item["path"]), item["subject"]
