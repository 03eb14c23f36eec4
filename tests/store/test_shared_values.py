"""Several threads need one value: it is computed once, until its input changes."""

import threading
import time

from answerable.store.shared_values import SharedValues


def test_of_several_threads_one_computes() -> None:
    shared, computed, found = SharedValues(), [], []

    def compute() -> str:
        computed.append(threading.get_ident())
        time.sleep(0.05)
        return "value"

    threads = [
        threading.Thread(target=lambda: found.append(shared.get("a", "1", compute)))
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == ["value"] * 8
    assert len(computed) == 1


def test_another_input_replaces_the_value() -> None:
    shared = SharedValues()
    assert shared.get("a", "1", lambda: 1) == 1
    assert shared.get("a", "1", lambda: 2) == 1
    assert shared.get("a", "2", lambda: 3) == 3
    assert shared.get("b", "2", lambda: 4) == 4


def test_a_failure_is_not_kept() -> None:
    shared = SharedValues()
    for _ in range(2):
        try:
            shared.get("a", "1", lambda: 1 // 0)
        except ZeroDivisionError:
            continue
        raise AssertionError("no error")
    assert shared.get("a", "1", lambda: 5) == 5
