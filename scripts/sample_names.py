"""Random sample of module and function names, for a reader who does not know the code.

`python scripts/sample_names.py --seed 7` prints names alone; `--docstrings` adds the
first sentence of each docstring. The reader says what each name is before and after.
"""

import argparse
import ast
import signal
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "answerable"


def main() -> None:
    """Print the sample with its seed."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader may leave early
    parser = argparse.ArgumentParser(description="sample names of the package")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--docstrings", action="store_true")
    given = parser.parse_args()
    modules: list[tuple[str, str]] = []
    functions: list[tuple[str, str]] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        place = str(path.relative_to(PACKAGE.parent))
        if path.name != "__init__.py":
            modules.append((place, _first_sentence(tree)))
        functions += [
            (f"{place}: {name}", text) for name, text in _list_functions(tree)
        ]
    print(f"seed {given.seed}: {given.count} of {len(modules)} modules,", end=" ")
    print(f"{given.count} of {len(functions)} functions")
    for names in (modules, functions):
        print()
        drawn = sorted(names, key=lambda each: _draw_key(given.seed, each[0]))
        for number, (name, text) in enumerate(drawn[: given.count], 1):
            print(f"{number:2} {name}" + (f"  {text}" if given.docstrings else ""))


def _list_functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each function and method, without dunder methods and nested functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _list_functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = ", ".join(each.arg for each in child.args.args)
            if not child.name.startswith("__"):
                yield f"{prefix}{child.name}({arguments})", _first_sentence(child)


def _draw_key(seed: int, name: str) -> bytes:
    """Return the sort key that orders names at random for a seed."""
    return sha256(f"{seed} {name}".encode()).digest()


def _first_sentence(
    node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef,
) -> str:
    text = ast.get_docstring(node) or ""
    return " ".join(text.partition("\n\n")[0].split())


if __name__ == "__main__":
    main()
