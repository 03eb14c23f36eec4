"""Share equal values between facts, so that each is in memory once.

The facts of one role have the same provenance, and name the same ids; many policies have
equal statements. Decoded from a file, each fact has copies of its own, which are half of
the memory of a large inventory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import TypeVar

from answerable.model.policy import Policy, Statement
from answerable.model.provenance import FactProvenance

FactT = TypeVar("FactT")
# Fields whose values occur in several facts.
_SHARED_FIELDS = frozenset(
    ("id", "policy", "target", "via", "subject", "person", "identity", "credential")
)
# Of statements.
_SHARED_LISTS = ("actions", "not_actions", "resources", "not_resources")


class FactPool:
    """Pool of the values that facts have in common."""

    def __init__(self) -> None:
        """Begin empty."""
        self._seen: dict[str, FactProvenance] = {}
        self._texts: dict[str, str] = {}
        self._statements: dict[Statement, Statement] = {}
        self._lists: dict[tuple[str, ...], tuple[str, ...]] = {}

    def share(self, rows: Iterable[FactT]) -> Iterator[FactT]:
        """Replace values of decoded facts of one kind, which nothing else refers to.

        Args:
            rows: The facts.

        Returns:
            The same facts.
        """
        names: list[str] | None = None
        for fact in rows:
            if names is None:
                found = {each.name for each in fields(fact)}  # type: ignore[arg-type]  # facts are dataclasses
                names = sorted(found & _SHARED_FIELDS)
                has_provenance = "seen" in found
            for name in names:
                text = getattr(fact, name)
                kept = self._texts.setdefault(text, text)
                if kept is not text:
                    object.__setattr__(fact, name, kept)
            if has_provenance:
                self._share_provenance(fact)
            if isinstance(fact, Policy):
                self.share_statements(fact)
            yield fact

    def share_text(self, text: str) -> str:
        """Return an equal text that is kept; keep this one if there is none."""
        return self._texts.setdefault(text, text)

    def share_statements(self, policy: Policy) -> None:
        """Replace the statements of a policy that nothing else refers to yet."""
        shared = tuple(map(self._share_statement, policy.statements))
        object.__setattr__(policy, "statements", shared)

    def _share_statement(self, statement: Statement) -> Statement:
        """Return an equal statement that is kept; keep this one if there is none."""
        kept = self._statements.setdefault(statement, statement)
        if kept is statement:
            for name in _SHARED_LISTS:
                texts = getattr(statement, name)
                object.__setattr__(
                    statement, name, self._lists.setdefault(texts, texts)
                )
        return kept

    def _share_provenance(self, fact: object) -> None:
        """Replace the provenance of a fact by an equal one."""
        seen: FactProvenance = fact.seen  # type: ignore[attr-defined]  # checked by the caller
        kept = self._seen.setdefault(seen.place, seen)
        if kept is seen:
            source = self._texts.setdefault(seen.source, seen.source)
            object.__setattr__(seen, "source", source)
        elif kept == seen:
            object.__setattr__(fact, "seen", kept)
