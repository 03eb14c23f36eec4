r"""Parse CODEOWNERS files, and find the owners of a path.

Source: GitHub Docs, "About code owners": patterns as in .gitignore apart from `!`,
`[ ]` and `\#`; the last pattern that matches a path decides alone; a pattern without
owners leaves its paths unowned.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import re2

RULES_LIMIT = 10_000
_PATTERN_LIMIT = 1_024
LOCATIONS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")


class _Re2Pattern(Protocol):
    def fullmatch(self, text: str) -> object | None: ...


@dataclass(frozen=True, slots=True)
class CodeOwnersRule:
    """Rule of one line: a pattern and its owners (none: unowned)."""

    pattern: str
    owners: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class CodeOwners:
    """Parsed CODEOWNERS file.

    Attributes:
        rules: In file order.
        faults: Lines that are not a valid rule.
    """

    rules: tuple[CodeOwnersRule, ...]
    faults: tuple[int, ...]

    def find_rule(self, path: str) -> CodeOwnersRule | None:
        """Return the rule that applies to a path, or None."""
        for rule in reversed(self.rules):
            if matches_code_owners_pattern(rule.pattern, path):
                return rule
        return None


def parse_codeowners(text: str) -> CodeOwners:
    """Parse a file; sections of other systems (`[Name]`) are counted as faults."""
    rules: list[CodeOwnersRule] = []
    faults: list[int] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.partition(" #")[0].strip()
        if not line or line[0] == "#":
            continue
        pattern, *owners = line.replace("\\ ", "\x00").split()
        pattern = pattern.replace("\x00", " ")
        known = tuple(owner for owner in owners if "@" in owner and len(owner) < 255)
        bad = pattern[0] in "![" or len(pattern) > _PATTERN_LIMIT
        if bad or len(known) != len(owners) or len(rules) >= RULES_LIMIT:
            faults.append(number)
        if not bad and len(rules) < RULES_LIMIT:
            rules.append(CodeOwnersRule(pattern, known, number))
    return CodeOwners(tuple(rules), tuple(faults))


def matches_code_owners_pattern(pattern: str, path: str) -> bool:
    """Return whether a CODEOWNERS pattern matches a path of the project.

    Args:
        pattern: As written; a leading slash or one inside anchors it to the root.
        path: Relative path with forward slashes.
    """
    return _compile_pattern(pattern).fullmatch(path) is not None


@lru_cache(maxsize=RULES_LIMIT)
def _compile_pattern(pattern: str) -> _Re2Pattern:
    """Compile a CODEOWNERS pattern to a regular expression."""
    anchored = "/" in pattern.removesuffix("/")
    body = pattern.lstrip("/")
    is_folder = body.endswith("/")
    parts = [part for part in body.split("/") if part]
    out: list[str] = []
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            out.append(".*" if last else "(?:.*/)?")
        else:
            out.append(_build_path_part_regex(part) + ("" if last else "/"))
    head = "" if anchored else "(?:.*/)?"
    # `docs/*` fits the files in docs but not those below (GitHub's own example);
    # a plain name fits a file of that name and everything below such a folder.
    below = "" if parts and parts[-1] in ("*", "**") and anchored else "(?:/.*)?"
    tail = "/.*" if is_folder else below
    compiled: _Re2Pattern = re2.compile("(?s)" + head + "".join(out) + tail)
    return compiled


def _build_path_part_regex(part: str) -> str:
    """Convert one part of a CODEOWNERS path, between `/`, to a regex."""
    return "".join(
        "[^/]*" if char == "*" else "[^/]" if char == "?" else re2.escape(char)
        for char in part
    )
