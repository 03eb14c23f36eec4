"""Open questions of a request, and enumeration of their answers.

The readable rules ask a situation whatever the snapshot does not say. A verdict comes
from trying every situation that makes a difference.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

Question = tuple[str, str, tuple[str, ...]]  # key, operator, values


@dataclass(frozen=True)
class Unanswered(Exception):  # noqa: N818 - no error: the next question to decide
    """A question the situation does not answer yet."""

    question: Question


@dataclass(frozen=True)
class Situation:
    """Answers to what the snapshot leaves open."""

    answers: dict[Question, bool] = field(default_factory=dict)

    def holds(self, key: str, operator: str, values: Sequence[str]) -> bool:
        """Answer a question; a new one stops the evaluation.

        Raises:
            Unanswered: It was not decided yet.
        """
        question = (key.lower(), operator.lower(), tuple(sorted(set(values))))
        if question not in self.answers:
            raise Unanswered(question)
        return self.answers[question]


def iterate_outcomes(
    evaluate: Callable[[Situation], bool], most: int = 4096
) -> Iterator[tuple[Situation, bool]]:
    """Try every situation that makes a difference."""
    waiting = [Situation()]
    while waiting and most:
        situation = waiting.pop()
        most -= 1
        try:
            yield situation, evaluate(situation)
        except Unanswered as open_:
            known = situation.answers
            waiting += [
                Situation({**known, open_.question: answer}) for answer in (True, False)
            ]


def get_verdict(evaluate: Callable[[Situation], bool]) -> str:
    """`always`, `never`, or `only-if` when it depends on the situation."""
    found = {answer for _, answer in iterate_outcomes(evaluate)}
    if found == {True}:
        return "always"
    return "never" if found == {False} else "only-if"
