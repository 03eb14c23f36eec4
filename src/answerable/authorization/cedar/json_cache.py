"""Cache Cedar's JSON form of policies, shared by those that differ only in literals.

A large set has a few shapes with different names and numbers. Cedar converts each shape
once, with a marker in place of each literal; the literals of a policy are then filled
in. Only plain literals are replaced: printable ASCII without escapes, short whole
numbers. A policy with anything else, or with a record (whose members are reordered),
goes to Cedar.

The JSON says what a policy is, not that it is valid: Cedar still parses and validates
the text of each policy.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

MIN_REPEATS = 3  # policies of one form, from which on it is worth having
MAX_LITERALS = 1000  # literals of one policy, and less: marks are letters

_MARK = 0xE000  # and up: letters that no ASCII text has
_NUMBER = 7 * 10**17  # and up
_LITERAL = re.compile(
    r'((?:[A-Za-z_]\w*+|[^"/\w]++|/(?!/)|//[^\n]*+)*+)'  # what stands before a literal
    r'(?:(")([ !#-\[\]-~]*+)"|(0|[1-9][0-9]{0,17})(?!\w)|\Z)'
)
_ORDERED = '"Record"'

Fragments = tuple[str, ...]
Literals = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _PolicyShape:
    """JSON of policies that differ only in literals.

    Attributes:
        parts: JSON fragments between the literals.
        order: Index of the literal after each fragment; Cedar reorders them.
        likes: Indexes of literals that are `like` patterns.
    """

    parts: tuple[str, ...]
    order: tuple[int, ...]
    likes: frozenset[int]

    def render_policy_json(self, literals: Literals) -> str:
        """Return the policy's JSON with these literals filled in."""
        filled = [""] * (2 * len(self.order) + 1)
        filled[::2] = self.parts
        filled[1::2] = [
            _like_pattern_json(literals[each]) if each in self.likes else literals[each]
            for each in self.order
        ]
        return "".join(filled)


class PolicyJsonCache:
    """JSON form of policies, computed without Cedar for known shapes.

    Args:
        write: Converts a text with Cedar; raises ValueError if it is no Cedar.
    """

    def __init__(self, write: Callable[[str], str]) -> None:
        self._write = write
        self._met: Counter[Fragments] = Counter()
        self._known: dict[Fragments, _PolicyShape | None] = {}

    def to_json(self, text: str) -> str:
        """Return the JSON of one policy; empty if Cedar has to convert it.

        Args:
            text: Policy text in which every string ends on its line.
        """
        between, literals = _split_literals(text)
        if not literals:
            return ""
        if between not in self._known:
            self._met[between] += 1
            if self._met[between] < MIN_REPEATS:
                return ""
            self._known[between] = self._learn_shape(text, between, literals)
        form = self._known[between]
        return form.render_policy_json(literals) if form is not None else ""

    def _learn_shape(
        self, text: str, fragments: Fragments, literals: Literals
    ) -> _PolicyShape | None:
        """Convert a policy shape with Cedar and check that it reproduces the policy."""
        texts = [each.endswith('"') for each in fragments[: len(literals)]]
        marks = [
            chr(_MARK + at) if is_text else str(_NUMBER + at)
            for at, is_text in enumerate(texts)
        ]
        # It ends with a quote, then; a word that ends so leads to no form.
        likes = frozenset(
            at
            for at, each in enumerate(fragments)
            if each.removesuffix('"').rstrip().endswith("like")
        )
        marked = "".join(
            f'{before}{mark}"' if is_text else f"{before}{mark}"
            for before, mark, is_text in zip_longest(
                fragments, marks, texts, fillvalue=""
            )
        )
        try:
            form = _build_shape(self._write(marked), marks, likes)
            fits = form is not None and (
                json.loads(form.render_policy_json(literals))
                == json.loads(self._write(text))
            )
        except (ValueError, RecursionError):
            return None
        return form if fits else None


def _split_literals(text: str) -> tuple[Fragments, Literals]:
    """Split a policy text at its literals; return None if that is not safe.

    The fragment before a string ends with the quote, so strings and numbers differ in
    shape.
    """
    found = _LITERAL.findall(text)
    whole = "".join([f"{b}{quote}{s}{quote}{n}" for b, quote, s, n in found])
    if whole != text or not text.isascii() or len(found) > MAX_LITERALS:
        return (), ()  # something is no word of these
    between = tuple([before + quote for before, quote, _, _ in found])
    return between, tuple([s or n for _, quote, s, n in found if quote or n])


def _build_shape(
    policy_json: str, markers: list[str], like_positions: frozenset[int]
) -> _PolicyShape | None:
    """Find the markers in Cedar's JSON; None unless each occurs exactly once."""
    places: list[tuple[int, int, int]] = []
    for at, mark in enumerate(markers):
        sought = _like_pattern_json(mark) if at in like_positions else mark
        if policy_json.count(sought) != 1 or policy_json.count(mark) != 1:
            return None
        start = policy_json.index(sought)
        places.append((start, start + len(sought), at))
    if _ORDERED in policy_json:
        return None
    places.sort()
    starts = [start for start, _, _ in places] + [len(policy_json)]
    ends = [0] + [end for _, end, _ in places]
    parts = tuple(policy_json[e:s] for e, s in zip(ends, starts, strict=True))
    return _PolicyShape(parts, tuple(at for _, _, at in places), like_positions)


def _like_pattern_json(literal: str) -> str:
    """Encode a `like` pattern as Cedar does, letter by letter."""
    return ",".join(
        '"Wildcard"' if each == "*" else f'{{"Literal":"{each}"}}' for each in literal
    )
