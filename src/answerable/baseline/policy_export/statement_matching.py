"""Match actions and resources against the statements of an AWS policy.

`*` and `?` are wildcards within each of the six parts of an ARN; `${*}`, `${?}` and
`${$}` are letters; any other variable may be any text. Source: IAM User Guide, "IAM JSON
policy elements: Resource" and "IAM policy elements: Variables and tags".
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

import re2

from answerable.model.policy import Statement

_TOKEN = re.compile(
    r"\$\{(?P<letter>[*?$])\}|(?P<variable>\$\{[^}]*\})|(?P<wildcard>[*?])"
)
_PARTS = 6  # of an ARN
ANY = "*"


class _Pattern(Protocol):
    def fullmatch(self, text: str) -> object:
        """Match a whole text; None if it does not match."""


def matches_action(statement: Statement, action: str) -> bool:
    """Return whether a statement is about an action, whatever its effect."""
    name = action.lower()
    if statement.not_actions:
        return not any(
            _matches_arn_part(each.lower(), name) for each in statement.not_actions
        )
    return any(_matches_arn_part(each.lower(), name) for each in statement.actions)


def find_matching_patterns(statement: Statement, resource: str) -> list[str]:
    """Return the resource patterns that match; `*` if all but some others match.

    An exclusion with a variable does not count: the request decides whether it matches.
    """
    if statement.not_resources:
        is_excluded = any(
            matches_arn(each, resource)
            for each in list_variable_free(statement.not_resources)
        )
        return [] if is_excluded else [ANY]
    return [each for each in statement.resources if matches_arn(each, resource)]


def matches_arn(pattern: str, resource: str) -> bool:
    """Return whether a resource matches a pattern of a policy."""
    if pattern == ANY:
        return True
    parts, texts = pattern.split(":", _PARTS - 1), resource.split(":", _PARTS - 1)
    if len(parts) != _PARTS or len(texts) != _PARTS:
        return False
    return all(map(_matches_arn_part, parts, texts))


def has_variable(pattern: str) -> bool:
    """Return whether a pattern has a variable whose value the request decides."""
    return any(match["variable"] for match in _TOKEN.finditer(pattern))


def list_variable_free(patterns: Iterable[str]) -> list[str]:
    """List the patterns without variables."""
    return [each for each in patterns if not has_variable(each)]


def _matches_arn_part(pattern: str, text: str) -> bool:
    """Match one part of an ARN, or an action."""
    return _compile_pattern(pattern).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compile_pattern(pattern: str) -> _Pattern:
    """Compile a pattern of a policy to an expression without backtracking."""
    written, at = [], 0
    for match in _TOKEN.finditer(pattern):
        written.append(re2.escape(pattern[at : match.start()]))
        if match["letter"]:
            written.append(re2.escape(match["letter"]))
        else:
            written.append("." if match["wildcard"] == "?" else ".*")
        at = match.end()
    written.append(re2.escape(pattern[at:]))
    compiled: _Pattern = re2.compile("(?s)" + "".join(written))
    return compiled
