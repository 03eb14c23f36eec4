"""Time of `what-if`: the command, and edits one after another in one process.

`python -m bench --only reach`. The edits go through the function that the command and
the web page call. Each removes one statement of an identity or trust policy.
"""

import json
import statistics
import sys
from collections.abc import Iterator

from bench import command_run
from bench.figures import BenchFigure, BenchRemark, Line, at_most

EDITS, EDITS_OF_MANY, QUICK_EDITS = 200, 50, 5
MANY = 10_000
COMMANDS = 3

_SERVE = """
import json, random, sys, time
from pathlib import Path
from answerable.model.policy import PolicyLayer
from answerable.reach.platform import PolicyEdit
from answerable.server.garbage_collection import freeze_startup_objects
from answerable.services.inventory import snapshots
from answerable.services.reach import compiled_snapshots
from answerable.store.store import EvidenceStore
from answerable.usecases.reach import what_if
store, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
now = time.time_ns()
with EvidenceStore.open(Path(store), now=now, create=False) as opened:
    inventory = snapshots.load_inventory(opened)
    start = time.perf_counter()
    compiled_snapshots.compile_snapshot(inventory)  # as a server does
    compiling = time.perf_counter() - start
    freeze_startup_objects()  # as a server does, too
    sids = {each.id: [s.sid for s in each.statements] for each in inventory.facts.policies}
    layers = (PolicyLayer.IDENTITY, PolicyLayer.TRUST)
    known = sorted(
        (each.target, f"{each.policy}#{sid}")
        for each in inventory.facts.attachments
        if each.layer in layers and ":aws:policy/" not in each.policy
        for sid in sids.get(each.policy, ())
    )
    drawn = random.Random(seed).sample(known, min(count + 1, len(known)))
    took = []
    for subject, statement in drawn:
        edit = PolicyEdit(statements=(statement,))
        wall, cpu = time.perf_counter(), time.process_time()
        found = what_if.compare_policy_edit(inventory, subject, edit, now=now)
        times = time.perf_counter() - wall, time.process_time() - cpu
        took.append((*times, len(found.items)))
print(json.dumps({"edits": drawn, "took": took, "compiling": compiling}))
"""


def measure_what_if(
    store: str, size: int, seed: int, command: str, *, quick: bool
) -> Iterator[Line]:
    """Serve edits in one process, then run the command by itself."""
    count = EDITS_OF_MANY if size >= MANY else EDITS
    count = QUICK_EDITS if quick else count
    argv = (sys.executable, "-c", _SERVE, store, str(count), str(seed))
    found = json.loads(command_run.run_command(argv).out)
    first, *later = found["took"]
    about = f"{size:,} principals"
    what = f"what-if SUBJECT --without STATEMENT, {about}"
    goal = at_most(50, "<= 50 ms") if size >= MANY else None
    served = f"{what}: an edit of a process that serves them"
    walls = tuple(wall * 1000 for wall, _, _ in later)
    cpus = tuple(cpu * 1000 for _, cpu, _ in later)
    yield BenchFigure(served, "ms", walls, command, goal)
    yield BenchFigure(f"{served}: processor", "ms", cpus, command)
    slow = sorted(walls)[int(len(walls) * 0.95)]
    changes = [n for _, _, n in later]
    yield BenchRemark(
        f"{served}: compiling the snapshot takes {found['compiling']:.2g} s, the first edit {first[0]:.2g} s; "
        f"95 of 100 take at most {slow:.3g} ms; changes listed: median "
        f"{statistics.median(changes):g}, at most {max(changes):,}.",
        command,
    )
    runs = [
        command_run.answerable_command(
            *("--store", store, "-o", "json"),
            *("what-if", subject, "--without", statement),
        )
        for subject, statement in found["edits"][: 1 if quick else COMMANDS]
    ]
    yield BenchFigure(what, "s", tuple(each.wall for each in runs), command)
    cpu = tuple(each.cpu for each in runs)
    yield BenchFigure(f"{what}: processor", "s", cpu, command)
    peak = max(each.peak for each in runs)
    yield BenchFigure(f"{what}: peak memory", "MiB", (peak,), command)
