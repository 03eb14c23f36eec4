"""List the callers that can make a call by steps from other platforms."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.model.documents.shared_shapes import TruncationItem
from answerable.model.ids import IdentityId
from answerable.reach.answer_items import (
    build_item_without_statements,
    parse_row_cursor,
)
from answerable.reach.caller_closure import (
    CERTAIN,
    CONDITIONAL,
    UNKNOWN,
    CallerClosure,
)
from answerable.reach.condition_formula import Verdict
from answerable.reach.open_platforms import CROSS_PLATFORM_STEPS, OpenPlatforms
from answerable.reach.platform import (
    Answer,
    AnswerList,
    PageBounds,
    PermissionPlatform,
    Question,
    SubjectIdentity,
)

_GRADES = {
    Verdict.ALWAYS: CERTAIN,
    Verdict.ONLY_IF: CONDITIONAL,
    Verdict.NOT_KNOWN: UNKNOWN,
}
_RANKS = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN, Verdict.NEVER)


def list_cross_platform_callers(
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
    calls = _CallerAnswers(opened, platform, question)
    closure = CallerClosure(opened, platform, calls.grade)
    entered = closure.compute()
    answers = [*calls.list_answers(entered.starts)]
    missing = frozenset[str]().union(*(each.not_collected for each in answers))
    missing |= {
        f"{CROSS_PLATFORM_STEPS} ({each.id})" for each in closure.list_unscanned()
    }
    found = sorted(
        (each for each in answers if each.verdict is not Verdict.NEVER),
        key=_rank_answer,
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


class _CallerAnswers:
    """Answers to one call for the callers that enter identities of its platform."""

    def __init__(
        self, opened: OpenPlatforms, platform: PermissionPlatform, question: Question
    ) -> None:
        self.opened = opened
        self.platform = platform
        self.question = question
        self._evaluator = opened.open(platform)
        self._alone: dict[IdentityId, Answer | None] = {}

    def grade(self, identity: IdentityId) -> int | None:
        """Grade what an identity can do; None if it can never make the call."""
        answer = self._evaluate_alone(identity)
        if answer is None:
            return UNKNOWN
        return _GRADES.get(answer.verdict)

    def list_answers(self, starts: Iterable[SubjectIdentity]) -> Iterator[Answer]:
        """Answer for each caller, and for the entered identities that never can.

        A caller of the platform itself counts only if it can do more by entering.
        """
        for alone in self._alone.values():
            if alone is not None and alone.verdict is Verdict.NEVER:
                yield alone
        for start in starts:
            answer = self._evaluate_call_as(start.subject, (start,))
            if answer.verdict is Verdict.NEVER:  # its conditions exclude each other
                found = self.opened.find_identities(start.subject)
                every = self.opened.select_identities(self.platform, found)
                answer = self._evaluate_call_as(start.subject, every)
            own = None
            if self.opened.find_platform(start.subject) is self.platform:
                own = self._evaluate_alone(IdentityId(start.subject))
            if own is None or _get_grade(answer) < _get_grade(own):
                yield answer

    def _evaluate_call_as(
        self, subject: str, identities: tuple[SubjectIdentity, ...]
    ) -> Answer:
        """Evaluate the call for a subject that acts as some identities."""
        asked = replace(self.question, subject=subject, identities=identities)
        return self._evaluator.evaluate(asked)

    def _evaluate_alone(self, identity: IdentityId) -> Answer | None:
        """Evaluate the call for an identity itself; None where its data is missing."""
        if identity not in self._alone:
            found = self._evaluator.resolve_identity(
                SubjectIdentity(identity, identity)
            )
            self._alone[identity] = (
                self._evaluate_call_as(identity, (found,))
                if isinstance(found, SubjectIdentity)
                else None
            )
        return self._alone[identity]


def _get_grade(answer: Answer) -> int:
    """Return the position of the verdict, the surest first."""
    return _RANKS.index(answer.verdict)


def _rank_answer(answer: Answer) -> tuple[int, int, str]:
    """Rank answers: by verdict, then by the number of steps, then by subject."""
    item = answer.item
    return _get_grade(answer), len(item["path"]), item["subject"]
