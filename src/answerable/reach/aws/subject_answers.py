"""Prepend the steps from a subject to the answers of its identities, and rank them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.condition_formula import FALSE, TRUE, conjoin_hops
from answerable.reach.platform import SubjectIdentity


def prepend_subject_to_answer(
    subject_identity: SubjectIdentity, answer: ReachAnswer
) -> ReachAnswer:
    """Prepend the hops from the subject to an identity's answer."""
    if not subject_identity.hops:
        return answer
    formula = conjoin_hops(
        *(hop.formula for hop in subject_identity.hops), answer.formula
    )
    path = (*subject_identity.hops, *answer.path)
    parts = tuple(
        prepend_subject_to_answer(subject_identity, part) for part in answer.parts
    )
    return replace(
        answer,
        subject=subject_identity.subject,
        formula=formula,
        path=path,
        parts=parts,
    )


def prepend_subject_to_rows(
    subject_identity: SubjectIdentity, rows: Iterable[ReachAnswer]
) -> Iterator[ReachAnswer]:
    """Prepend the subject to rows; drop rows that rest on uncollected allows."""
    for reply in rows:
        if subject_identity.unknown is None or not rests_on_uncollected_allow(
            reply.formula
        ):
            yield prepend_subject_to_answer(subject_identity, reply)


def choose_best_answer(answers: Sequence[ReachAnswer]) -> ReachAnswer:
    """Return the best answer: unconditional first, then the shortest path."""

    def rank(answer: ReachAnswer) -> tuple[bool, bool, bool, int]:
        formula = answer.formula
        open_ = formula != TRUE
        return (
            open_,
            formula == FALSE,
            rests_on_uncollected_allow(formula),
            len(answer.path),
        )

    return min(answers, key=rank)
