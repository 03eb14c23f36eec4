"""What each module of the package imports, defines and names, read from its source."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from tests.architecture.parsed_modules import parse_modules

PACKAGE = "answerable"
# A decorator that registers nothing: what it decorates has to be named elsewhere.
PASSIVE = frozenset(
    [
        "asynccontextmanager",
        "cache",
        "contextmanager",
        "dataclass",
        "final",
        "lru_cache",
        "overload",
        "property",
        "runtime_checkable",
        "total_ordering",
        "wraps",
    ]
)

# An annotation in quotation marks; only classes have a capital.
ANNOTATION = re.compile(r"[\w.\[\], |]{1,200}")
WORD = re.compile(r"\b[A-Z]\w*")

Name = tuple[str, str]  # module, top-level name in it


@dataclass
class SourceModule:
    """One file of the package: what it imports, defines and names."""

    name: str
    tree: ast.Module
    bound: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            for name, target in bindings(node):
                self.bound.setdefault(name, set()).add(target)

    @cached_property
    def texts(self) -> list[str]:
        """String constants, but docstrings."""
        said = {
            id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)
        }
        return [
            node.value
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in said
        ]

    @cached_property
    def starts(self) -> set[str]:
        """Dotted names in its texts, to import or to start them later."""
        words = {word.strip("\"',[]") for text in self.texts for word in text.split()}
        return {word for word in words if word.startswith(f"{PACKAGE}.")}

    @cached_property
    def imports(self) -> set[str]:
        """Everything that it imports, wherever the import stands."""
        return {target for found in self.bound.values() for target in found}

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """Its top-level functions, classes and assigned names."""
        found: dict[str, list[ast.stmt]] = {}
        for node in _statements(self.tree.body):
            for name in _defined(node):
                found.setdefault(name, []).append(node)
        return found


def bindings(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield alias.asname or top, alias.name
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _statements([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _statements([*node.body, *node.orelse, *node.finalbody])
        else:
            yield node


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    names = [each.id for each in targets if isinstance(each, ast.Name)]
    return names if len(names) == len(targets) else []


class SourcePackage:
    """All modules below a folder, and what reaches what."""

    def __init__(self, src: Path) -> None:
        self.modules: dict[str, SourceModule] = {}
        for path, tree in parse_modules(src / PACKAGE):
            parts = list(path.relative_to(src).with_suffix("").parts)
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.modules[name] = SourceModule(name, tree)
        self.loaded = {
            name for module in self.modules.values() for name in module.starts
        }

    def packages_of(self, dotted: str) -> Iterator[str]:
        """Give the modules that importing a dotted name runs."""
        parts = dotted.split(".")
        for size in range(1, len(parts) + 1):
            name = ".".join(parts[:size])
            if name in self.modules:
                yield name

    def reachable_modules(self, roots: Iterable[str]) -> set[str]:
        """Give the modules that a chain of imports reaches."""
        found: set[str] = set()
        waiting = [name for root in roots for name in self.packages_of(root)]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            module = self.modules[name]
            for dotted in module.imports | module.starts:
                waiting.extend(self.packages_of(dotted))
        return found

    def resolve_definitions(
        self, dotted: str, seen: frozenset[str] = frozenset()
    ) -> set[Name]:
        """Give the definitions that a dotted name may mean, through other imports."""
        if dotted in seen:
            return set()
        module, _, name = dotted.rpartition(".")
        found: set[Name] = set()
        if module in self.modules:
            if name in self.modules[module].definitions:
                found.add((module, name))
            for target in self.modules[module].bound.get(name, ()):
                found |= self.resolve_definitions(target, seen | {dotted})
        elif module:
            found |= self.resolve_definitions(module, seen | {dotted})
        return found

    def named_definitions(self, module: SourceModule, node: ast.AST) -> set[Name]:
        """Give the definitions that a piece of a module names."""
        found: set[Name] = set()
        for each in ast.walk(node):
            if isinstance(each, ast.Name):
                found |= self._resolve_parts(module, [each.id])
            elif isinstance(each, ast.Attribute):
                parts = _parts(each)
                found |= self._resolve_parts(module, parts) if len(parts) > 1 else set()
            elif isinstance(each, ast.Constant):
                for word in _annotated(each.value):
                    found |= self._resolve_parts(module, [word])
                if isinstance(each.value, str) and each.value.startswith(PACKAGE):
                    found |= self.resolve_definitions(each.value)
        return found

    def _resolve_parts(self, module: SourceModule, parts: list[str]) -> set[Name]:
        found: set[Name] = set()
        if len(parts) == 1 and parts[0] in module.definitions:
            found.add((module.name, parts[0]))
        for target in module.bound.get(parts[0], ()):
            found |= self.resolve_definitions(".".join([target, *parts[1:]]))
        return found

    def used_definitions(
        self, modules: set[str], kept: Iterable[str] = ()
    ) -> set[Name]:
        """Give the definitions that running these modules may come to.

        Args:
            modules: What is imported.
            kept: Modules of which every definition counts as used.
        """
        graph = {
            (name, top): set().union(
                *(self.named_definitions(module, node) for node in nodes)
            )
            for name, module in self.modules.items()
            for top, nodes in module.definitions.items()
        }
        found: set[Name] = set()
        waiting = [
            name for each in modules for name in self._registered_by_import(each)
        ]
        waiting += [
            (each, top) for each in kept for top in self.modules[each].definitions
        ]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(graph.get(name, ()))
        return found

    def _registered_by_import(self, name: str) -> Iterator[Name]:
        """Give what importing a module runs or registers."""
        module = self.modules[name]
        for node in _statements(module.tree.body):
            defined = _defined(node)
            if isinstance(node, ast.Import | ast.ImportFrom):
                continue
            if not defined:
                yield from self.named_definitions(module, node)
            elif _is_registered(node) or (
                name in self.loaded and self._is_attribute_used(defined)
            ):
                yield from ((name, each) for each in defined)

    def _is_attribute_used(self, names: list[str]) -> bool:
        """Return whether any module asks an object for an attribute of such a name."""
        return any(name in self.attributes for name in names)

    @cached_property
    def attributes(self) -> set[str]:
        return {
            node.attr
            for module in self.modules.values()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute)
        }


@cache
def read_package(root: Path) -> SourcePackage:
    """Read the package of a checkout, once for all tests of a process."""
    return SourcePackage(root / "src")


def _parts(node: ast.expr) -> list[str]:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def _annotated(value: object) -> list[str]:
    """List the classes that an annotation in quotation marks names."""
    if not isinstance(value, str) or not ANNOTATION.fullmatch(value):
        return []
    return WORD.findall(value)


def _is_registered(node: ast.stmt) -> bool:
    """Return whether a decorator hands a definition to somebody."""
    for each in getattr(node, "decorator_list", ()):
        called = each.func if isinstance(each, ast.Call) else each
        name = called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)
        if name not in PASSIVE:
            return True
    return False
