"""Everything in the package runs: a command or a server reaches each module and name."""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.architecture.package_graph import (
    PACKAGE,
    SourcePackage,
    bindings,
    read_package,
)

ROOT = f"{PACKAGE}.__main__"
# The demo's data and its sample server, and the one module that may import them: in
# the function that plays the demo.
DEMO = (f"{PACKAGE}.cli.demo", f"{PACKAGE}.cli.sample", f"{PACKAGE}.demo")
PLAYS = f"{PACKAGE}.cli.commands.machine"


def unreached(package: SourcePackage) -> set[str]:
    """Name the modules that nothing reaches from the command line."""
    return package.modules.keys() - package.reachable_modules([ROOT])


def unnamed(package: SourcePackage, kept: Iterable[str] = ()) -> list[str]:
    """Name the public functions and classes that no reached module comes to.

    Args:
        package: The package.
        kept: Modules that count as used whole.
    """
    modules = package.reachable_modules([ROOT, *kept])
    used = package.used_definitions(modules, kept)
    return sorted(
        f"{module}.{name}"
        for module in modules
        for name, nodes in package.modules[module].definitions.items()
        if not name.startswith("_")
        and not isinstance(nodes[0], ast.Assign | ast.AnnAssign)
        and (module, name) not in used
    )


def of_demo(name: str) -> bool:
    """Return whether a module is the demo's."""
    return any(name == each or name.startswith(f"{each}.") for each in DEMO)


def demo_imports(package: SourcePackage) -> list[str]:
    """Name the modules that import the demo, and may not."""
    found = []
    for name, module in package.modules.items():
        if of_demo(name):
            continue
        lazy = _functions(module.tree) if name == PLAYS else []
        inside = {id(node) for each in lazy for node in ast.walk(each)}
        for node in ast.walk(module.tree):
            targets = [target for _, target in bindings(node)]
            if id(node) not in inside and any(map(of_demo, targets)):
                found.append(name)
        found += [name] if any(map(of_demo, module.starts)) else []
    return sorted(set(found))


def _functions(tree: ast.Module) -> list[ast.stmt]:
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@pytest.fixture
def package(root: Path) -> SourcePackage:
    return read_package(root)


def test_a_command_or_a_server_reaches_every_module(package: SourcePackage) -> None:
    assert sorted(unreached(package)) == []


def test_a_command_or_a_server_comes_to_every_public_name(
    package: SourcePackage,
) -> None:
    assert unnamed(package) == []


def test_the_runtime_imports_no_demo(package: SourcePackage) -> None:
    assert demo_imports(package) == []


# Violations, planted.

MAIN = f"from {PACKAGE}.cli.app import run\nrun()\n"


def planted(folder: Path, files: Mapping[str, str]) -> SourcePackage:
    """A package of these files, by path below it."""
    for name, text in {"__main__.py": MAIN, **files}.items():
        path = folder / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return SourcePackage(folder)


def test_a_module_that_only_a_dead_one_imports_is_found(tmp_path: Path) -> None:
    package = planted(
        tmp_path,
        {
            "cli/app.py": "def run():\n    from answerable.usecases import scan\n    scan.go()\n",
            "usecases/scan.py": "def go():\n    pass\n",
            "usecases/dead.py": "from answerable.usecases.deader import x\n",
            "usecases/deader.py": "x = 1\n",
        },
    )
    names = {"answerable.usecases.dead", "answerable.usecases.deader"}
    assert unreached(package) == names


def test_a_module_that_is_started_by_its_name_is_reached(tmp_path: Path) -> None:
    package = planted(
        tmp_path,
        {
            "cli/app.py": (
                'WORKER = "answerable.worker"\n'
                "def run():\n"
                '    """Starts answerable.other."""\n'
                '    print(f"exec python -m answerable.agent --x {WORKER}")\n'
            ),
            "worker.py": "",
            "agent.py": "",
            "other.py": "",
        },
    )
    assert unreached(package) == {"answerable.other"}


def test_a_function_that_is_named_in_full_is_reached(tmp_path: Path) -> None:
    package = planted(
        tmp_path,
        {
            "cli/app.py": (
                'SHOWN = {"one": "answerable.shown.one"}\n'
                "def run():\n    print(SHOWN)\n"
            ),
            "shown.py": "def one():\n    pass\ndef two():\n    pass\n",
        },
    )
    assert unreached(package) == set()
    assert unnamed(package) == ["answerable.shown.two"]


USES = """\
from answerable import rules as room
from answerable.rules import Kept, again

def run(x: "Noted") -> None:
    room.one()

class Noted:
    pass

@room.registry.command()
def two() -> Kept:
    return Kept()
"""
RULES = """\
import functools

registry = object()

def one():
    return _helped()

def _helped():
    return three

def three():
    pass

def again():
    return again()

class Kept:
    pass

@functools.cache
def four():
    return five()

def five():
    pass
"""


def test_a_name_that_nothing_reached_comes_to_is_found(tmp_path: Path) -> None:
    package = planted(tmp_path, {"cli/app.py": USES, "rules.py": RULES})
    # An import alone is no use, and neither is what another dead one calls.
    dead = [f"answerable.rules.{name}" for name in ("again", "five", "four")]
    assert unnamed(package) == dead


def test_an_import_of_the_demo_is_found_but_in_the_command_that_plays_it(
    tmp_path: Path,
) -> None:
    lazily = "def demo():\n    from answerable.cli.demo import run_demo\n"
    package = planted(
        tmp_path,
        {
            "cli/app.py": lazily,
            "cli/commands/machine.py": lazily,
            "cli/demo/run_demo.py": "import answerable.cli.sample.write_sample\n",
            "cli/sample/write_sample.py": "",
            "gateway/serve.py": 'NAME = "answerable.demo.office_database"\n',
        },
    )
    assert demo_imports(package) == ["answerable.cli.app", "answerable.gateway.serve"]
    package = planted(tmp_path, {"cli/commands/machine.py": "import answerable.demo.x"})
    assert PLAYS in demo_imports(package)
