"""What a command does with input that is broken, huge or meant to break it.

Each ends with the right exit code and says in a line what and where; what was stored
before, and what was good beside it, is still there and still verifies.
"""

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from answerable.model.connector import EventLimits
from answerable.store import durable_files
from tests.estate.records import (
    MIB,
    cut_gzip,
    deep,
    gzip_bomb,
    log_file,
    write_long_line,
)
from tests.estate.seven import Answer, Ask

GIB = 1 << 30
PARTIAL, USAGE, REFUSED = 3, 2, 5
MOST_MIB = 1024


@pytest.fixture
def store(tmp_path: Path, ask: Ask) -> Path:
    """A store that holds ten records already."""
    place = tmp_path / "store"
    (tmp_path / "before.json").write_bytes(log_file(9_000, 10))
    assert ask(place, "ingest", f"cloudtrail:{tmp_path / 'before.json'}").code == 0
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to ingest that already holds a good file, read first."""
    place = tmp_path / "trail"
    place.mkdir()
    (place / "a-good.json").write_bytes(log_file(0, 20))
    return place


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits small enough to be crossed by a small file."""
    low = (1_000, 64 << 10, 2 * MIB)
    monkeypatch.setattr(EventLimits.__init__, "__defaults__", low)


def told(answer: Answer, name: str) -> str:
    """Return the one line that names `name`; nothing else may look like a crash."""
    assert "Traceback" not in answer.err
    assert "internal error" not in answer.err
    lines = [line for line in answer.err.splitlines() if name in line]
    assert len(lines) == 1, answer.err
    return lines[0]


def stored(ask: Ask, store: Path) -> int:
    """Verify the whole store, then count its events."""
    verified = ask(store, "evidence", "verify")
    assert verified.code == 0, verified.out
    (row,) = ask(store, "sql", "SELECT count(*) AS n FROM lineage").items
    return int(str(row["n"]))


def test_a_file_of_garbage_is_named_and_the_good_file_beside_it_is_stored(
    store: Path, folder: Path, ask: Ask
) -> None:
    (folder / "b-garbage.json").write_bytes(os.urandom(200_000))
    answer = ask(store, "ingest", f"cloudtrail:{folder}")
    assert answer.code == PARTIAL
    told(answer, "b-garbage.json")
    assert answer.items[0]["stored"] == 20
    assert stored(ask, store) == 30


def test_garbage_alone_is_partial_and_allow_partial_accepts_it(
    store: Path, tmp_path: Path, ask: Ask
) -> None:
    (tmp_path / "garbage.json").write_bytes(b"\x00\xff garbage \x1b[31m" * 1000)
    answer = ask(store, "ingest", f"cloudtrail:{tmp_path / 'garbage.json'}")
    assert answer.code == PARTIAL
    assert "\x1b" not in answer.err + answer.out
    again = ask(
        store, "ingest", f"cloudtrail:{tmp_path / 'garbage.json'}", "--allow-partial"
    )
    assert again.code == 0
    assert stored(ask, store) == 10


def test_a_cut_gzip_gives_the_records_before_the_cut(
    store: Path, folder: Path, ask: Ask
) -> None:
    (folder / "b-cut.json.gz").write_bytes(cut_gzip(100, 3_000, 0.5))
    answer = ask(store, "ingest", f"cloudtrail:{folder}")
    assert answer.code == PARTIAL
    told(answer, "b-cut.json.gz")
    got = int(str(answer.items[0]["stored"]))
    assert 20 + 1_000 < got < 20 + 3_000
    assert stored(ask, store) == 10 + got


@pytest.mark.usefixtures("low_limits")
def test_a_line_beyond_the_limit_is_set_aside_and_its_neighbours_are_stored(
    store: Path, folder: Path, ask: Ask
) -> None:
    write_long_line(folder / "b-long.jsonl", 8 * MIB)
    answer = ask(store, "ingest", f"cloudtrail:{folder}")
    assert answer.code == PARTIAL
    told(answer, "b-long.jsonl")
    (item,) = answer.items
    assert (item["quarantined"], item["stored"]) == (1, 20)  # 1 and 2 are known
    assert item["duplicate"] == 2
    assert stored(ask, store) == 30


@pytest.mark.usefixtures("low_limits")
def test_a_gzip_bomb_is_left_when_it_unfolds_beyond_reason(
    store: Path, folder: Path, ask: Ask
) -> None:
    (folder / "b-bomb.json.gz").write_bytes(gzip_bomb(64 * MIB))
    answer = ask(store, "ingest", f"cloudtrail:{folder}")
    assert answer.code == PARTIAL
    told(answer, "b-bomb.json.gz")
    assert stored(ask, store) == 30


@pytest.mark.parametrize("depth", [2_000, 1_000_000])
def test_a_record_nested_without_end_is_set_aside(
    store: Path, folder: Path, ask: Ask, depth: int
) -> None:
    (folder / "b-deep.json").write_bytes(deep(depth))
    answer = ask(store, "ingest", f"cloudtrail:{folder}")
    assert answer.code == PARTIAL
    told(answer, "b-deep.json")
    assert answer.items[0]["stored"] == 20
    assert stored(ask, store) == 30


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".mcp.json", b"[" * 200_000),
        (".mcp.json", b'{"a":' * 200_000),
        (".mcp.json", os.urandom(50_000)),
        (".codex/config.toml", b"a = " + b"[" * 50_000),
        (".github/workflows/a.yml", b"a: &a [*a, *a]\n" + b"- " * 50_000),
        (".github/workflows/b.yml", b"{" * 100_000),
    ],
    ids=["lists", "objects", "noise", "toml", "yaml-aliases", "yaml-flow"],
)
def test_a_hostile_configuration_file_is_named_and_its_neighbour_is_read(
    tmp_path: Path, ask: Ask, name: str, content: bytes
) -> None:
    repo = tmp_path / "repo"
    good = {"mcpServers": {"docs": {"url": "https://docs.corp.example/mcp"}}}
    (repo / ".vscode").mkdir(parents=True)
    (repo / ".cursor").mkdir()
    (repo / ".cursor" / "mcp.json").write_text(json.dumps(good))
    bad = repo / name
    bad.parent.mkdir(parents=True, exist_ok=True)
    bad.write_bytes(content)
    answer = ask(tmp_path / "s", "scan", f"repo:{repo}")
    assert answer.code == PARTIAL
    told(answer, name)
    tools = ask(tmp_path / "s", "tools").items
    assert "docs" in [tool["server"] for tool in tools]


def test_a_folder_that_may_not_be_listed_makes_the_answer_partial(
    store: Path, folder: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "b-closed").mkdir()
    (folder / "b-closed" / "c.json").write_bytes(log_file(100, 5))
    refuse_folder(monkeypatch, folder / "b-closed")
    answer = ask(store, "ingest", f"cloudtrail:{folder}")
    assert answer.code == PARTIAL
    assert "ermission" in told(answer, "b-closed")
    assert stored(ask, store) == 30


def test_a_source_that_may_not_be_listed_is_refused(
    store: Path, folder: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_folder(monkeypatch, folder)
    answer = ask(store, "ingest", f"cloudtrail:{folder}")
    assert answer.code == REFUSED
    assert told(answer, str(folder)).startswith("error: ")
    assert stored(ask, store) == 10


def test_a_home_with_a_closed_folder_is_partial_and_names_it(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "ana" / ".claude" / "agents"
    closed.mkdir(parents=True)
    (closed / "a.md").write_text("---\nname: a\n---\n")
    refuse_folder(monkeypatch, closed)
    answer = ask(tmp_path / "s", "scan", f"home:{tmp_path / 'ana'}")
    assert answer.code == PARTIAL
    told(answer, ".claude/agents")


def test_a_file_that_is_not_there_is_a_usage_error(store: Path, ask: Ask) -> None:
    answer = ask(store, "ingest", "cloudtrail:nowhere")
    assert answer.code == USAGE
    assert told(answer, "nowhere").startswith("error: ")


def test_a_store_of_a_newer_release_is_refused_and_left_as_it_is(
    store: Path, folder: Path, ask: Ask
) -> None:
    (store / "format.json").write_text('{"store": 99}')
    before = contents(store)
    for argv in (
        ["agents"],
        ["ingest", f"cloudtrail:{folder}"],
        ["evidence", "verify"],
    ):
        answer = ask(store, *argv)
        assert answer.code == REFUSED
        assert "99" in told(answer, "error: ")
        assert "upgrade" in told(answer, "hint: ")
    assert contents(store) == before


def test_a_folder_that_holds_something_else_never_becomes_a_store(
    tmp_path: Path, folder: Path, ask: Ask
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"jpeg")
    answer = ask(tmp_path / "photos", "ingest", f"cloudtrail:{folder}")
    assert answer.code == USAGE
    assert list((tmp_path / "photos").iterdir()) == [tmp_path / "photos" / "a.jpg"]


STEPS = (
    "write",
    "journal-header",
    "journal-write",
    "segment-parquet-write",
    "segment-leaves",
    "segment-manifest",
    "log-tiles",
    "log-entries",
    "log-checkpoint",
)


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_fills_up_refuses_and_nothing_acknowledged_is_lost(
    store: Path, folder: Path, ask: Ask, full_at: Callable[[str], None], step: str
) -> None:
    full_at(step)
    answer = ask(store, "ingest", f"cloudtrail:{folder}")
    durable_files.crash_hook = None
    assert answer.code == REFUSED
    assert "o space left" in told(answer, "error: ")
    assert "space" in told(answer, "hint: ") or "room" in told(answer, "hint: ")
    assert stored(ask, store) in (10, 30)
    again = ask(store, "ingest", f"cloudtrail:{folder}")
    assert again.code == 0
    assert stored(ask, store) == 30


@pytest.fixture
def full_at() -> Iterator[Callable[[str], None]]:
    """Fill the disk at a named step of the store, and at every later one."""

    def fill(step: str) -> None:
        full: list[str] = []

        def hook(name: str) -> None:
            if full or name == step:
                full.append(name)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        durable_files.crash_hook = hook

    yield fill
    durable_files.crash_hook = None


def refuse_folder(monkeypatch: pytest.MonkeyPatch, closed: Path) -> None:
    """Refuse to list a folder, also to root."""

    def guarded(real: Callable[..., object]) -> Callable[..., object]:
        def call(path: object = ".", *rest: object, **more: object) -> object:
            if not isinstance(path, int) and Path(os.fsdecode(path)) == closed:  # type: ignore[arg-type]
                raise PermissionError(errno.EACCES, "Permission denied", str(closed))
            return real(path, *rest, **more)

        return call

    monkeypatch.setattr(os, "scandir", guarded(os.scandir))
    monkeypatch.setattr(os, "listdir", guarded(os.listdir))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.world
def test_a_line_of_one_gibibyte_is_set_aside_in_bounded_memory(
    store: Path, folder: Path, ask: Ask, ask_apart: Ask
) -> None:
    write_long_line(folder / "b-long.jsonl", GIB)
    answer = ask_apart(store, "ingest", f"cloudtrail:{folder}")
    assert answer.code == PARTIAL
    told(answer, "b-long.jsonl")
    assert answer.peak < MOST_MIB
    assert stored(ask, store) == 30


@pytest.mark.world
def test_a_gzip_bomb_of_four_gibibytes_is_left_in_bounded_memory(
    store: Path, folder: Path, ask: Ask, ask_apart: Ask
) -> None:
    (folder / "b-bomb.json.gz").write_bytes(gzip_bomb(4 * GIB))
    answer = ask_apart(store, "ingest", f"cloudtrail:{folder}")
    assert answer.code == PARTIAL
    told(answer, "b-bomb.json.gz")
    assert answer.peak < MOST_MIB
    assert stored(ask, store) == 30


@pytest.mark.world
def test_a_disk_that_is_really_full_refuses_and_keeps_what_it_acknowledged(
    tmp_path: Path, ask: Ask
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(small)]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        trail = tmp_path / "trail.json"
        trail.write_bytes(log_file(0, 2_000))
        assert ask(small / "store", "ingest", f"cloudtrail:{trail}").code == 0
        ballast = small / "ballast"
        ballast.write_bytes(b"0" * (os.statvfs(small).f_bavail * 4096 - 65_536))
        more = tmp_path / "more.json"
        more.write_bytes(log_file(100_000, 3_000))
        answer = ask(small / "store", "ingest", f"cloudtrail:{more}")
        assert answer.code == REFUSED
        assert "o space left" in told(answer, "error: ")
        ballast.unlink()
        assert stored(ask, small / "store") in (2_000, 5_000)
        assert ask(small / "store", "ingest", f"cloudtrail:{more}").code == 0
        assert stored(ask, small / "store") == 5_000
    finally:
        subprocess.run(["umount", str(small)], check=True)
