"""Match names of branches, tags and repositories with GitHub's patterns."""

import re
from collections.abc import Iterable
from functools import lru_cache

# Names that a pusher can choose for a new branch; the second one has the separator,
# which `*` does not match.
NEW_BRANCHES = ("answerable-new", "answerable/new/branch")
NEW_TAGS = ("answerable-new", "answerable/new/tag")


@lru_cache(maxsize=4096)
def _compile_fnmatch(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of File.fnmatch with FNM_PATHNAME.

    Source: https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches/managing-a-branch-protection-rule
    """
    out, i = "", 0
    while i < len(pattern):
        if pattern.startswith("**/", i):
            out, i = out + "(?:[^/]+/)*", i + 3
            continue
        char = pattern[i]
        closing = pattern.find("]", i + 1) if char == "[" else -1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif closing > 0:
            inner = pattern[i + 1 : closing].replace("\\", "")
            negated = inner.startswith(("!", "^"))
            out += f"[{'^' if negated else ''}{re.escape(inner.lstrip('!^'))}]".replace(
                r"\-", "-"
            )
            i = closing
        elif char == "\\" and i + 1 < len(pattern):
            i += 1
            out += re.escape(pattern[i])
        else:
            out += re.escape(char)
        i += 1
    try:
        return re.compile(out)
    except re.error:
        return re.compile(re.escape(pattern))


def matches(pattern: str, name: str) -> bool:
    """Return whether a name matches a pattern; `*` does not match `/`."""
    return _compile_fnmatch(pattern).fullmatch(name) is not None


def is_ref_selected(
    ref: str, default_branch: str, include: Iterable[str], exclude: Iterable[str]
) -> bool:
    """Return whether a ruleset selects a ref: one included pattern and none excluded.

    Source: https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/creating-rulesets-for-a-repository
    """

    def selects(pattern: str) -> bool:
        if pattern == "~ALL":
            return True
        if pattern == "~DEFAULT_BRANCH":
            return bool(default_branch) and ref == f"refs/heads/{default_branch}"
        kind = "/".join(ref.split("/", 2)[:2])
        full = pattern if pattern.startswith("refs/") else f"{kind}/{pattern}"
        return matches(full, ref)

    return any(map(selects, include)) and not any(map(selects, exclude))


def is_repository_selected(
    name: str, include: Iterable[str], exclude: Iterable[str]
) -> bool:
    """Return whether an organization's ruleset selects a repository."""

    def selects(pattern: str) -> bool:
        return pattern == "~ALL" or matches(pattern.lower(), name.lower())

    return any(map(selects, include)) and not any(map(selects, exclude))


def make_name(pattern: str) -> str:
    """Make a name that a pattern matches, for a pusher to choose."""
    text = pattern.replace("**/", "").replace("*", "x").replace("?", "x")
    return re.sub(r"\[[!^]?([^\]-])[^\]]*\]", r"\1", text)
