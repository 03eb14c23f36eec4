"""The query engine starts only the threads that it is given."""

from pathlib import Path

from answerable.store.duckdb_engine import DuckDbEngine


def list_threads() -> set[str]:
    return {each.name for each in Path("/proc/self/task").iterdir()}


def test_an_engine_of_one_thread_starts_none(tmp_path: Path) -> None:
    # An idle one gives back what the process has freed, and it is allocated again.
    before = list_threads()
    engine = DuckDbEngine(tmp_path, threads=1)
    try:
        engine.run("SELECT count(*) FROM range(1000000) r(n) WHERE n % 3 = 0")
        started = list_threads() - before
    finally:
        engine.close()
    assert len(started) == 1  # that of the query, which Ctrl-C interrupts
