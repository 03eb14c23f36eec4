r"""Where policies begin and end in a text: the engine itself gives no positions.

Cedar's words, as far as they matter for that: strings, comments, annotations, `;`. A
string ends on the line it begins, here; Cedar would let one run on, and one forgotten
quote would then hide every fault behind it. A line break in a string is written `\n`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_STRING = r'"(?:[^"\\\n]|\\[^\n])*+'
_HEAD = r"(?:permit|forbid)\s*+\("
# What matters to nobody here comes as one word, whole strings in it.
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
class Piece:
    """One policy's text, or what stands where one should.

    Attributes:
        text: From its first word to its `;`.
        line: Line of that word, from 1.
        id: What stands in its `@id`, as written; empty without one.
        open_line: Line of a string that does not end; 0 where all do.
        ended: There is a `;`.
        heads: Where further policies seem to begin in it, offset and line: it lacks
            a `;`, unless it is right as it stands.
    """

    text: str
    line: int
    id: str
    open_line: int
    ended: bool
    heads: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Begun:
    """A piece whose end has not come yet; places are offsets."""

    at: int
    line: int
    id: str = ""
    open_at: int = -1
    has_head: bool = False
    annotated: int = -1  # since the last head
    heads: tuple[int, ...] = ()

    def take(self, token: re.Match[str]) -> None:
        """Hear one more word of it."""
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

    def end(self, text: str, to: int, *, ended: bool) -> Piece:
        def line(at: int) -> int:
            return self.line + text.count("\n", self.at, at)

        return Piece(
            text[self.at : to],
            self.line,
            self.id,
            0 if self.open_at < 0 else line(self.open_at),
            ended,
            tuple((at - self.at, line(at)) for at in self.heads),
        )


def split(text: str, line: int = 1) -> Iterator[Piece]:
    """Cut a text into its policies.

    Args:
        text: Of one file, or a part of it.
        line: The line that it starts on.
    """
    begun: _Begun | None = None
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
            begun = _Begun(at, line)
        if kind == "end":
            yield begun.end(text, end, ended=True)
            begun = None
        else:
            begun.take(token)
    if begun is not None:
        yield begun.end(text, end, ended=False)


def parted(piece: Piece) -> Iterator[Piece]:
    """Cut a piece that is wrong where further policies seem to begin in it."""
    starts = [(0, piece.line), *piece.heads]
    ends = [at for at, _ in piece.heads] + [len(piece.text)]
    for (at, line), end in zip(starts, ends, strict=True):
        yield from split(piece.text[at:end].rstrip(), line)


def headless(text: str) -> str:
    """Give a policy without its head's conditions: about anybody and anything.

    Args:
        text: Of a policy that Cedar takes.
    """
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "head":
            effect = token[0].partition("(")[0].strip()
            close = next(_CLOSE.finditer(text, token.end()))
            return f"{effect} (principal, action, resource){text[close.end() :]}"
    return text
