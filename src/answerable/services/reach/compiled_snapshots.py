"""Compile a snapshot once for all permission questions; one question runs at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

from answerable.model.inventory import Inventory
from answerable.services.reach.platform_registry import PLATFORMS

QueryParams = ParamSpec("QueryParams")
QueryResult = TypeVar("QueryResult")
_LOCK = "lock of permission questions"
_LockType = type(threading.RLock())


def compile_snapshot(inventory: Inventory, before: Inventory | None = None) -> None:
    """Compile an inventory's policies and grants, for all later reach questions.

    Args:
        before: The previous snapshot of the store, whose results may be reused. Both
            then share a lock, as intermediate results are cached.
    """
    lock = (
        before.get_value_if_computed(_LOCK) if before else None
    ) or threading.RLock()
    with nullcontext() if before is None else lock_compiled_snapshot(before):
        for platform in PLATFORMS:
            platform.compile_snapshot(inventory, before)
    inventory.get_or_compute_value(_LOCK, lambda _: lock)


@contextmanager
def lock_compiled_snapshot(inventory: Inventory) -> Iterator[None]:
    """Hold the lock of a snapshot while a question uses its compiled policies."""
    lock = inventory.get_value_if_computed(_LOCK)
    with lock if isinstance(lock, _LockType) else nullcontext():
        yield


def serialize_queries(
    function: Callable[QueryParams, QueryResult],
) -> Callable[QueryParams, QueryResult]:
    """Decorate a use case so that only one query at a time uses a compiled snapshot."""

    @wraps(function)
    def run_locked(*args: QueryParams.args, **named: QueryParams.kwargs) -> QueryResult:
        about = next(each for each in args if isinstance(each, Inventory))
        with lock_compiled_snapshot(about):
            return function(*args, **named)

    return run_locked
