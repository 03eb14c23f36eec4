"""Compare a verdict with the one that `can --expect` states.

A `not-known` verdict and an incomplete source decide nothing: the command then ends
with exit code 3, even with `--allow-partial`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from answerable.model.documents.shared_shapes import PermissionCheckItem
from answerable.model.errors import UsageError
from answerable.reach.condition_formula import Verdict
from answerable.reach.verdict_assumptions import ASSUMPTION_NAMES


@dataclass(frozen=True, slots=True)
class VerdictExpectation:
    """Expected verdict of an answer.

    Attributes:
        verdict: `always`, `only-if` or `never`; empty if none is expected.
        accepted: Names of accepted assumptions.
    """

    verdict: str = ""
    accepted: frozenset[str] = frozenset()

    def is_contradicted_by_answer(
        self, item: PermissionCheckItem, *, has_unread_statements: bool
    ) -> bool:
        """Return whether a known verdict differs from the one `--expect` states."""
        if not self.verdict or item["verdict"] == Verdict.NOT_KNOWN:
            return False
        if has_unread_statements and item["verdict"] == Verdict.ONLY_IF:
            return False
        return item["verdict"] != self.verdict

    def explain_why_undecided(
        self,
        item: PermissionCheckItem,
        *,
        is_partial: bool,
        has_unread_statements: bool,
    ) -> str:
        """Explain why the expectation is undecided; empty if it is not.

        Args:
            is_partial: Whether a source could not be read completely.
            has_unread_statements: Whether a relevant statement could not be read.
        """
        if not self.verdict or self.is_contradicted_by_answer(
            item, has_unread_statements=has_unread_statements
        ):
            return ""
        if item["verdict"] == Verdict.NOT_KNOWN:
            return "the verdict is not known"
        if has_unread_statements:
            return "a statement that could change the verdict could not be read"
        left = [each for each in item["assuming"] if each not in self.accepted]
        if left:
            names = ",".join(left)
            return f"the verdict assumes {names} (--assume {names} accepts that)"
        return "a source could not be read completely" if is_partial else ""


def parse_accepted_assumptions(texts: Iterable[str]) -> frozenset[str]:
    """Parse the names of accepted assumptions, separated by commas.

    The coverage word of an assumption is accepted as well as its name.

    Raises:
        UsageError: A name is unknown; the hint has the nearest spelling.
    """
    words = (word.strip().lower() for text in texts for word in text.split(","))
    return frozenset(_parse_assumption_name(word) for word in words if word)


def _parse_assumption_name(word: str) -> str:
    """Return an assumption's name; raise an error with a hint if unknown."""
    names = frozenset(ASSUMPTION_NAMES.values())
    if word in names:
        return word
    if word in ASSUMPTION_NAMES:
        return ASSUMPTION_NAMES[word]
    raise UsageError(
        f"unknown assumption (got {word[:40]!r}, expected one of {', '.join(sorted(names))})",
        _suggest_assumption_name(word, {*names, *ASSUMPTION_NAMES}),
    )


def _suggest_assumption_name(word: str, names: Collection[str]) -> str:
    """Suggest the assumption nearest to an unknown word."""
    close = get_close_matches(word, sorted(names), n=1, cutoff=0.5)
    named = ASSUMPTION_NAMES.get(close[0], close[0]) if close else ""
    return f"did you mean {named}?" if named else "answerable can --help"
