r"""Split a Cedar policy file into single policies, with line numbers.

The Cedar engine gives no positions. The tokens that matter are strings, comments,
annotations and `;`. A string must end on its line: Cedar allows line breaks in strings,
but one missing quote would then hide every later fault. Write a line break as `\n`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_STRING = r'"(?:[^"\\\n]|\\[^\n])*+'
_HEAD = r"(?:permit|forbid)\s*+\("
# Irrelevant text, whole strings included, is one token.
_TOKEN = re.compile(
    rf'(?P<other>(?:(?!{_HEAD})\w++|[^"/;@\w]++|/(?!/)|{_STRING}")++)'
    rf"|(?P<open>{_STRING})"
    r"|(?P<comment>//[^\n]*+)"
    rf'|(?P<id>@\s*+id\s*+\(\s*+(?P<named>{_STRING}"))'
    r"|(?P<at>@)"
    r"|(?P<end>;)"
    rf"|(?P<head>{_HEAD})"
)
_CLOSE = re.compile(rf'(?:[^")/]++|{_STRING}"|//[^\n]*+|/)*+\)')


@dataclass(frozen=True, slots=True)
class PolicyText:
    """Text of one policy, or the fragment found in its place.

    Attributes:
        text: From its first token to its `;`.
        line: Line of the first token, from 1.
        id: Its `@id` annotation as written; empty without one.
        open_line: Line of an unterminated string; 0 for none.
        ended: Whether it ends with `;`.
        heads: Offset and line of further policy heads, a sign of a missing `;`.
    """

    text: str
    line: int
    id: str
    open_line: int
    ended: bool
    heads: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _OpenPolicyText:
    """A policy text whose end is not reached yet; positions are offsets."""

    at: int
    line: int
    id: str = ""
    open_at: int = -1
    has_head: bool = False
    annotated: int = -1  # since the last head
    heads: tuple[int, ...] = ()

    def add_token(self, token: re.Match[str]) -> None:
        """Add a token to the Cedar policy whose text is being collected."""
        kind, at = token.lastgroup, token.start()
        if kind == "head":
            if self.has_head:
                self.heads += (at if self.annotated < 0 else self.annotated,)
            self.has_head, self.annotated = True, -1
        elif kind == "open":
            self.open_at = at if self.open_at < 0 else self.open_at
        elif kind in ("at", "id"):
            self.annotated = at if self.annotated < 0 else self.annotated
            if kind == "id":
                self.id = self.id or token["named"][1:-1]

    def build_policy_text(
        self, text: str, end: int, *, is_terminated: bool
    ) -> PolicyText:
        """Return the policy text that ends at an offset."""

        def line(at: int) -> int:
            return self.line + text.count("\n", self.at, at)

        return PolicyText(
            text[self.at : end],
            self.line,
            self.id,
            0 if self.open_at < 0 else line(self.open_at),
            is_terminated,
            tuple((at - self.at, line(at)) for at in self.heads),
        )


def split_policies(text: str, line: int = 1) -> Iterator[PolicyText]:
    """Split the text of a file into policies.

    Args:
        text: Content of one file, or a part of it.
        line: Line number of the first line.
    """
    begun: _OpenPolicyText | None = None
    counted = end = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "comment":
            continue
        at = token.start()
        if kind == "other":
            white = len(token[0]) - len(token[0].lstrip())
            at += white
            if at == token.end():
                continue
            end = token.start() + len(token[0].rstrip())
        else:
            end = token.end()
        if begun is None:
            line += text.count("\n", counted, at)
            counted = at
            begun = _OpenPolicyText(at, line)
        if kind == "end":
            yield begun.build_policy_text(text, end, is_terminated=True)
            begun = None
        else:
            begun.add_token(token)
    if begun is not None:
        yield begun.build_policy_text(text, end, is_terminated=False)


def split_at_policy_heads(policy_text: PolicyText) -> Iterator[PolicyText]:
    """Split a text with a missing `;` where further policies begin in it."""
    starts = [(0, policy_text.line), *policy_text.heads]
    ends = [at for at, _ in policy_text.heads] + [len(policy_text.text)]
    for (at, line), end in zip(starts, ends, strict=True):
        yield from split_policies(policy_text.text[at:end].rstrip(), line)


def strip_scope(text: str) -> str:
    """Return a policy without scope constraints.

    Args:
        text: A policy that Cedar accepts.
    """
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "head":
            effect = token[0].partition("(")[0].strip()
            close = next(_CLOSE.finditer(text, token.end()))
            return f"{effect} (principal, action, resource){text[close.end() :]}"
    return text
