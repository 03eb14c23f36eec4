"""Tests of chains for the names of a query: exact, by id, or by pattern."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from answerable.lineage.chain_index import list_short_names
from answerable.model.lineage import LineageChain

IdTest = Callable[[str], bool]


def get_exact_value(text: str) -> str | None:
    """Return the value of an exact name, `=VALUE`; None for another name.

    `=` alone asks for a missing hop. An exact name selects by the hop itself, neither by
    an alias or a short name, nor by the agents and identities that led to it.
    """
    return text[1:] if text.startswith("=") else None


def is_glob(text: str) -> bool:
    """Return whether a name is a glob pattern; an exact name is none."""
    return ("*" in text or "?" in text) and not text.startswith("=")


def build_pattern_predicate(pattern: str) -> IdTest:
    """Build a predicate that matches an id, whole or by a short name."""
    import re2  # slow to import, and few names are patterns

    spelled = "".join({"*": ".*", "?": "."}.get(c) or re2.escape(c) for c in pattern)
    compiled = re2.compile(f"(?s){spelled}")

    @cache
    def fits(key: str) -> bool:
        names = (key, *list_short_names(key)) if key else ()
        return any(compiled.fullmatch(name) is not None for name in names)

    return fits


@dataclass(frozen=True, slots=True)
class EqualsId:
    """Test for one id."""

    id: str

    def __call__(self, key: str) -> bool:
        """Return whether that is it."""
        return key == self.id


@dataclass(frozen=True, slots=True)
class HasHopValue:
    """Test whether the hop of a chain, or its credential, is exactly a value."""

    field: str
    value: str

    def __call__(self, chain: LineageChain) -> bool:
        """Return whether the chain has the value."""
        if self.field == "credential":
            return chain.key.credential == self.value
        return bool(getattr(chain, self.field).value == self.value)


@dataclass(frozen=True, slots=True)
class HasMatchingId:
    """Test whether one of the ids of a chain in a field matches."""

    fits: IdTest
    list_ids: Callable[[LineageChain], Iterable[str]]

    def __call__(self, chain: LineageChain) -> bool:
        """Return whether an id of the chain matches."""
        return any(map(self.fits, self.list_ids(chain)))
