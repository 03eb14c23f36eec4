"""Logs of several sources: cost of each connector per byte, and one large investigation.

Processor time is measured, since the wall time of a shared machine says little.
"""

import gzip
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.cloudtrail import role_caller, write_trail
from bench.command_run import ProcessResult, answerable_command
from bench.figures import BenchFigure, Line, at_most
from bench.log_records import BUILDERS, write_records

RECORDS, ROUNDS, QUICK = 20_000, 3, 10_000
EVENTS = 2_000_000
# Share of each log in the events of an investigation.
_SHARES = {"k8s-audit": 0.25, "github-audit": 0.15, "okta": 0.1}
_RATIO = at_most(1.5, "<= 1.5 times CloudTrail's")
_WARM = at_most(0.5, "<= 0.5 s")


def measure_connectors(
    folder: Path, seed: int, command: str, *, quick: bool
) -> Iterator[Line]:
    """Ingest a log of each source in turn; the cost of its first record is subtracted.

    That is the start of the command, the import of the connector and the new store.
    """
    count = QUICK if quick else RECORDS
    sources = _write_logs(folder, dict.fromkeys(BUILDERS, count), count, seed)
    costs: dict[str, list[float]] = {name: [] for name in sources}
    for name, (source, _) in sources.items():  # compiles the modules of each
        _ingest(folder / f"warm-{name}", _cut_to_first_record(source), 1)
    for number in range(1 if quick else ROUNDS):
        for name, (source, size) in sources.items():
            store = folder / f"connector-{name}-{number}"
            first = _ingest(store / "first", _cut_to_first_record(source), 1)
            took = _ingest(store / "all", source, count)
            costs[name].append((took.cpu - first.cpu) / size * 1e9)
    for name, values in costs.items():
        trail = costs["cloudtrail"]
        ratios = tuple(a / b for a, b in zip(values, trail, strict=True))
        size = sources[name][1] / count
        what = f"ingest of {name}, records of {size:,.0f} bytes"
        yield BenchFigure(what, "ns CPU/byte", tuple(values), command)
        if name != "cloudtrail":
            yield BenchFigure(f"{what}, to CloudTrail's", "", ratios, command, _RATIO)


def _write_logs(
    folder: Path, counts: Mapping[str, int], trail: int, seed: int
) -> dict[str, tuple[str, int]]:
    """Write the logs; return the source and the uncompressed size of each."""
    folder.mkdir(parents=True, exist_ok=True)
    write_trail(folder / "trail", trail, seed)
    lines = folder / "trail.jsonl"
    with lines.open("wb") as file:
        for path in sorted((folder / "trail").rglob("*.json.gz")):
            for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
                file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
    found = {"cloudtrail": (f"cloudtrail:{lines}", lines.stat().st_size)}
    for name, count in counts.items():
        path = folder / f"{name}.jsonl"
        found[name] = (write_records(path, name, count, seed), path.stat().st_size)
    return found


def _cut_to_first_record(source: str) -> str:
    """Write the first record of a source to a file of its own."""
    name, _, location = source.partition(":")
    path, comma, options = location.partition(",")
    first = Path(path).with_suffix(".first.jsonl")
    with Path(path).open("rb") as file:
        first.write_bytes(file.readline())
    return f"{name}:{first}{comma}{options}"


def _ingest(store: Path, source: str, count: int) -> ProcessResult:
    """Ingest a source.

    Raises:
        RuntimeError: Something was not stored.
    """
    took = answerable_command("--store", str(store), "-o", "json", "ingest", source)
    (item,) = json.loads(took.out)["items"]
    if (item["stored"], item["quarantined"]) != (count, 0):
        raise RuntimeError(f"ingest of {count} records counted {item}")
    return took


def _build_store(folder: Path, store: Path, events: int, seed: int) -> None:
    """Write and ingest the logs of an investigation."""
    counts = {name: int(events * share) for name, share in _SHARES.items()}
    trail = events - sum(counts.values())
    for name, (source, _) in _write_logs(folder, counts, trail, seed).items():
        _ingest(store, source, counts.get(name, trail))


def measure_investigation(
    folder: Path, seed: int, command: str, *, quick: bool
) -> Iterator[Line]:
    """Stitch and query the events of four sources."""
    events = QUICK * 2 if quick else EVENTS
    store = folder / "store"
    if not store.exists():  # a kept folder has it
        _build_store(folder, store, events, seed)
    shutil.rmtree(store / "derived", ignore_errors=True)
    argv = ("--store", str(store), "-o", "json", "trace")
    stitch = answerable_command(*argv, "--by", "person")
    sources = len(_SHARES) + 1
    what = f"stitch of {events:,} events of {sources} sources, and count by person"
    goal = at_most(60, "<= 60 s")
    yield BenchFigure(f"{what}, processor time", "s", (stitch.cpu,), command, goal)
    yield BenchFigure(f"{what}, wall", "s", (stitch.wall,), command, goal)
    peaks = [stitch.peak]
    questions = {
        "a resource": ("--resource", "k8s:prod/team-01/configmaps/object-00001"),
        "a person": ("--person", "dev-003@corp.example", "--limit", "100"),
        "a credential": ("--credential", "cred:okta-session/trs00000000000000000002"),
        "an identity": ("--identity", role_caller(40), "--limit", "100"),
        "counts by person": ("--by", "person"),
        "counts by source and outcome": ("--by", "source,outcome"),
    }
    for name, words in questions.items():
        _, *warm = [answerable_command(*argv, *words) for _ in range(4)]
        peaks += [each.peak for each in warm]
        what = f"trace of {events:,} events by {name}, warm"
        cpu, wall = (each.cpu for each in warm), (each.wall for each in warm)
        yield BenchFigure(f"{what}, wall", "s", tuple(wall), command, _WARM)
        yield BenchFigure(f"{what}, processor time", "s", tuple(cpu), command)
    goal = at_most(1024, "<= 1 GiB")
    yield BenchFigure("peak memory of these", "MiB", (max(peaks),), command, goal)
