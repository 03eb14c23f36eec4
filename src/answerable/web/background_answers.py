"""Answers over very many rows: computed by a thread, so that no page waits for them.

A page over a small store waits for its answer; over a large one it says that the answer is
being computed, and later shows the newest one with its time. One answer is computed at a
time, so that other pages stay fast.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from answerable.model.errors import AnswerableError

if TYPE_CHECKING:
    from answerable.web.store_cache import StoreCache

AnswerT = TypeVar("AnswerT")
INLINE_EVENTS = 100_000  # or policies at identities, up to which a page waits
_MOST = 32


class BackgroundAnswer(NamedTuple, Generic[AnswerT]):
    """An answer and when it was computed, UTC nanoseconds."""

    value: AnswerT
    at: int


class BackgroundAnswers:
    """LRU cache of 32 answers by question; each has the version of its store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._answers: OrderedDict[
            Hashable, tuple[str, BackgroundAnswer[Any] | AnswerableError]
        ] = OrderedDict()

    def get_or_start(
        self,
        cache: "StoreCache",
        question: Hashable,
        count: int,
        answer: Callable[["StoreCache"], AnswerT],
        *,
        patience: float = 0.0,
    ) -> BackgroundAnswer[AnswerT] | None:
        """Return the newest answer; None while the first one is computed.

        Args:
            question: Query and visitor scope.
            count: Number of events, or of other rows, that the answer reads.
            answer: Computes the answer, in a thread if the rows are many.
            patience: Seconds to wait for that thread.

        Raises:
            AnswerableError: The answer over this version of the store failed with it.
        """
        if count <= INLINE_EVENTS:
            return BackgroundAnswer(answer(cache), cache.now)
        version = cache.version()
        with self._lock:
            computed_at, known = self._answers.get(question, ("", None))
        if computed_at != version:
            thread = cache.start_in_background(
                f"answer {hash(question)}",
                lambda cache: self._compute(cache, question, version, answer),
            )
            thread.join(patience)
            with self._lock:
                computed_at, known = self._answers.get(question, ("", None))
        if computed_at != version:
            return None if isinstance(known, AnswerableError) else known
        if isinstance(known, AnswerableError):
            raise known
        return known

    def get_or_compute(
        self,
        cache: "StoreCache",
        question: Hashable,
        count: int,
        answer: Callable[["StoreCache"], AnswerT],
    ) -> AnswerT:
        """Return the answer over this version of the store; wait while it is computed.

        Args:
            question: As of `get_or_start`; it has no time relative to now.
            count: Number of events that the answer reads; one over few is not kept.
            answer: Computes the answer.

        Raises:
            AnswerableError: The answer failed with it.
        """
        if count <= INLINE_EVENTS:
            return answer(cache)
        version = cache.version()
        with self._lock:
            computed_at, known = self._answers.get(question, ("", None))
        if computed_at != version or known is None:
            known = self._compute(cache, question, version, answer)
        if isinstance(known, AnswerableError):
            raise known
        value: AnswerT = known.value
        return value

    def _compute(
        self,
        cache: "StoreCache",
        question: Hashable,
        version: str,
        answer: Callable[["StoreCache"], AnswerT],
    ) -> BackgroundAnswer[AnswerT] | AnswerableError:
        """Compute an answer when no other is being computed, keep and return it."""
        found: BackgroundAnswer[AnswerT] | AnswerableError
        with self._turn:
            try:
                found = BackgroundAnswer(answer(cache), cache.now)
            except AnswerableError as error:
                found = error
        with self._lock:
            self._answers[question] = version, found
            self._answers.move_to_end(question)
            while len(self._answers) > _MOST:
                self._answers.popitem(last=False)
        return found
