"""One engine under measurement: a store that is kept open and answers queries.

`python -m bench.engine_session STORE [LAKE_OR_MASTER]` reads queries from standard input,
a JSON text per line, and answers each with a JSON object per line.
"""

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from answerable.model.inventory import Inventory
from answerable.services.inventory.snapshots import load_inventory
from answerable.services.lineage.lake_events import PREFIX, read_lake_events
from answerable.store.query_engine import QueryLimits
from answerable.store.spark_session import SCHEME
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.run_sql import run_sql_query

_LIMITS = QueryLimits(seconds=1_200)
# A row of a lake has no bytes of a record, and was never sealed.
_OF_THE_RECORD = {"raw_sha256", "salt", "ingest_time", "facts", "sequence"}


@contextlib.contextmanager
def _open_store(folder: Path, events: str) -> Iterator[tuple[EvidenceStore, Inventory]]:
    """Open a store, with the events of a lake or the engine of a cluster."""
    with contextlib.ExitStack() as stack:
        now = time.time_ns()
        store = stack.enter_context(EvidenceStore.open(folder, now=now))
        if events.startswith(PREFIX):
            read_lake_events(store, events, since=0, until=0, now=now)
        if events.startswith(SCHEME):
            from answerable.store.spark_engine import SparkEngine

            engine = SparkEngine(store.layout, events)
            store.queries.engine = stack.enter_context(contextlib.closing(engine))
        yield store, load_inventory(store)


def _answer(
    store: EvidenceStore, inventory: Inventory, query: str
) -> dict[str, object]:
    """Run a query; return its seconds and what its rows are."""
    wall, cpu = time.perf_counter(), time.process_time()
    document = run_sql_query(
        store, inventory, query, now=time.time_ns(), limits=_LIMITS
    )
    took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    # Another engine has no nanoseconds, and another order of equal rows.
    texts = sorted(
        json.dumps(
            [
                str(value).replace("T", " ").removesuffix("+00:00")
                for name, value in row.items()
                if name not in _OF_THE_RECORD
            ]
        )
        for row in document.items
    )
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    return {**took, "rows": f"{len(texts)} {digest}"}


def main(folder: str, events: str = "") -> None:
    """Answer queries until the end of the input."""
    with _open_store(Path(folder), events) as (store, inventory):
        for line in sys.stdin:
            found = _answer(store, inventory, json.loads(line))
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):  # the bench was interrupted
        main(*sys.argv[1:])
