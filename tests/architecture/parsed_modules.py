"""Syntax trees of modules: each is parsed once for all tests of a process."""

import ast
import functools
import gc
from collections.abc import Iterator
from pathlib import Path


@functools.cache
def _parse_text(text: str) -> ast.Module:
    return ast.parse(text)


def parse_module(path: Path) -> ast.Module:
    """Parse a module; whoever gets the tree leaves it as it is."""
    return _parse_text(path.read_text(encoding="utf-8"))


def parse_modules(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module below a folder with its tree, sorted by path.

    The garbage collector does not look at the trees: they are millions of objects and
    hold no garbage.
    """
    paths = sorted(folder.rglob("*.py"))
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        trees = [parse_module(path) for path in paths]
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
    yield from zip(paths, trees, strict=True)
