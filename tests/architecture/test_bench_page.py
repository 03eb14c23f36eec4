"""The page of measurements and the benchmark that writes it belong together."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bench import __main__ as bench
from bench import command_run, report
from bench.figures import BenchFigure, at_most
from tests.architecture.package_graph import (
    PACKAGE,
    SourcePackage,
    bindings,
    read_package,
)
from tests.architecture.parsed_modules import parse_modules

FACTS = {
    "processor": "one",
    "date": "2026-01-01",
    "revision": "aaaa",
    "load before": "0.1",
    "load after": "0.2",
}
GOAL = at_most(5, "<= 5")


def figure(what: str, value: float) -> BenchFigure:
    part = what.partition(":")[0]
    return BenchFigure(what, "s", (value,), f"python -m bench --only {part}", GOAL)


def test_a_section_is_replaced_whole_or_not_at_all() -> None:
    first = [figure("reach: cold", 9), figure("gateway: call", 1)]
    before = report.render_page(FACTS, first, ("reach", "gateway"), "")
    assert "- reach: cold: 9 s" in before
    later = FACTS | {"revision": "bbbb"}
    after = report.render_page(later, [figure("reach: cold", 4)], ("reach",), before)
    assert "Every goal was met." in after
    assert after.count("at revision aaaa") == after.count("at revision bbbb") == 1
    kept = after.partition("## Gateway")[2]
    assert kept == before.partition("## Gateway")[2]


def test_part_of_a_section_writes_nothing() -> None:
    assert report.covers_section(("reach",))
    assert not report.covers_section(("ingest", "queries"))


# What the page may say: each line comes from a part that drives a command or a server.

ENGINES = tuple(
    f"{PACKAGE}.{name}."
    for name in (
        *(
            "authorization",
            "baseline",
            "evidence",
            "federation",
            "gateway",
            "inventory",
        ),
        *("lineage", "pdp", "reach", "server", "services", "sts", "usecases", "web"),
    )
)
MEASURED = (
    "ingest",
    "trace_queries",
    "log_sources",
    "reach_queries",
    "clusters",
    "peer_tools",
    "gateway.figures",
    "authorization.figures",
    "federation.figures",
    "agent_credentials",
    "web.figures",
)


def imports(root: Path) -> dict[str, set[str]]:
    """Everything that each module of the benchmark imports."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts): {
            target for node in ast.walk(tree) for _, target in bindings(node)
        }
        for path, tree in parse_modules(root / "bench")
    }


def of_engines(found: Mapping[str, set[str]]) -> list[str]:
    """Name what measured parts import of the engines, through the benchmark's own."""
    waiting = [f"bench.{name}" for name in MEASURED]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen and name in found:
            seen.add(name)
            waiting += [up for each in found[name] for up in (each, _above(each))]
    named = {(name, target) for name in seen for target in found[name]}
    return sorted(f"{name}: {each}" for name, each in named if each.startswith(ENGINES))


def _above(dotted: str) -> str:
    return dotted.rpartition(".")[0]


def unreached(found: Mapping[str, set[str]], package: SourcePackage) -> list[str]:
    """Name what the benchmark imports and the command line does not reach."""
    reached = package.reachable_modules([f"{PACKAGE}.__main__"])
    return sorted(
        f"{name}: {target}"
        for name, targets in found.items()
        for target in targets
        if target.partition(".")[0] == PACKAGE
        and not set(package.packages_of(target)) <= reached
    )


def test_the_page_has_the_sections_of_the_benchmark_and_no_others(root: Path) -> None:
    text = (root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections == [*(name for name, _ in report._SECTIONS), "How"]
    measured = {part for _, parts in report._SECTIONS for part in parts}
    assert measured == set(bench.PARTS) - {*bench.LAWS, *bench.UNMEASURED}
    for line in re.findall(
        r"^\|.*`python -m bench --only (\S+)` \|$", text, re.MULTILINE
    ):
        assert set(line.split(",")) <= measured, line


def test_what_the_page_says_is_measured_through_what_a_user_runs(root: Path) -> None:
    assert of_engines(imports(root)) == []


def test_the_benchmark_imports_nothing_that_no_command_reaches(root: Path) -> None:
    assert unreached(imports(root), read_package(root)) == []


def test_a_part_that_drives_an_engine_is_found(tmp_path: Path) -> None:
    files = {
        "bench/reach_queries.py": "from bench import engine\n",
        "bench/engine.py": "from answerable.reach.dead import sweep\n",
        "bench/reach_law.py": "from answerable.reach.live import ask\n",
        "src/answerable/__main__.py": "from answerable.reach.live import ask\n",
        "src/answerable/reach/live.py": "ask = 1\n",
        "src/answerable/reach/dead.py": "sweep = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = imports(tmp_path)
    wrong = ["bench.engine: answerable.reach.dead.sweep"]
    assert of_engines(found) == wrong
    assert unreached(found, SourcePackage(tmp_path / "src")) == wrong


def list_embedded_scripts() -> Iterator[tuple[str, ast.Module]]:
    """List the scripts that benchmarks run in a process of their own."""
    for path, tree in parse_modules(Path(bench.__file__).parent):
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and "\nfrom answerable" in text:
                yield path.name, ast.parse(text)


def test_scripts_of_benchmarks_import_what_exists() -> None:
    found = list(list_embedded_scripts())
    assert found
    for name, script in found:
        for node in ast.walk(script):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = import_module(node.module)
                for each in node.names:
                    path = f"{node.module}.{each.name}"
                    assert hasattr(module, each.name) or find_spec(path), (name, path)


def test_the_peak_memory_of_a_command_is_not_that_of_the_bench() -> None:
    held = bytearray(300 << 20)
    held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])
    small = command_run.run_command((sys.executable, "-c", "pass"))
    large = command_run.run_command(
        (sys.executable, "-c", "bytearray(b'x') * (80 << 20)")
    )
    assert small.peak < 60 < 80 < large.peak < 160
    del held
