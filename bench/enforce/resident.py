"""What a set of policies adds to a worker, every slice of it used: MiB, as JSON.

python -m bench.enforce.resident KIND COUNT
"""

import json
import os
import sys
from pathlib import Path

import msgspec

import answerable.gateway.serve.worker  # noqa: F401 - what a worker has, too
from answerable.enforce.decide import NOTHING_STANDS, decide
from answerable.enforce.table import compile_table
from answerable.model.cedar import CedarRules
from answerable.model.decision import Layer
from bench.enforce import sets


def resident() -> float:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def packed(kind: Layer, count: int) -> bytes:
    """Read the set in a process of its own, as the supervisor is one."""
    given, taken = os.pipe()
    child = os.fork()
    if child:
        os.close(taken)
        with os.fdopen(given, "rb") as file:
            data = file.read()
        os.waitpid(child, 0)
        return data
    rules = sets.read(sets.texts(count, kind)).rules
    with os.fdopen(taken, "wb") as file:
        file.write(msgspec.msgpack.encode(rules.lean()))
    os._exit(0)


def main() -> None:
    kind, count = Layer(sys.argv[1]), int(sys.argv[2])
    config, asked, data = sets.the_config(), sets.calls(count), packed(kind, count)
    before = resident()
    table = compile_table(config, msgspec.msgpack.decode(data, type=CedarRules))
    for request in asked:
        assert decide(table, NOTHING_STANDS, request).passes
    print(json.dumps({"added": resident() - before}))


if __name__ == "__main__":
    main()
