"""Answers over very many events: computed by a thread, so that no page waits for them.

A page over a small log waits for its answer; over a large one it says that the events are
being counted, and later shows the newest answer with its time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from answerable.web.store_cache import StoreCache

AnswerT = TypeVar("AnswerT")
INLINE_EVENTS = 100_000  # up to which a page waits
_MOST = 32


class BackgroundAnswer(NamedTuple, Generic[AnswerT]):
    """An answer and when it was computed, UTC nanoseconds."""

    value: AnswerT
    at: int


class BackgroundAnswers:
    """LRU cache of 32 answers by question; each has the version of its store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, tuple[str, BackgroundAnswer[Any]]] = (
            OrderedDict()
        )

    def get_or_start(
        self,
        cache: "StoreCache",
        question: Hashable,
        count: int,
        answer: Callable[["StoreCache"], AnswerT],
    ) -> BackgroundAnswer[AnswerT] | None:
        """Return the newest answer; None while the first one is computed.

        Args:
            question: Query and visitor scope.
            count: Number of events that the answer reads.
            answer: Computes the answer, in a thread if the events are many.
        """
        if count <= INLINE_EVENTS:
            return BackgroundAnswer(answer(cache), cache.now)
        version = cache.version()
        with self._lock:
            known = self._answers.get(question)
        if known is None or known[0] != version:

            def compute(cache: "StoreCache") -> None:
                found = BackgroundAnswer(answer(cache), cache.now)
                with self._lock:
                    self._answers[question] = version, found
                    self._answers.move_to_end(question)
                    while len(self._answers) > _MOST:
                        self._answers.popitem(last=False)

            cache.start_in_background(f"answer {hash(question)}", compute)
        return None if known is None else known[1]
