r"""Where policies begin and end in a text: the engine itself gives no positions.

Cedar's words, as far as they matter for that: strings, comments, annotations, `;`. A
string ends on the line it begins, here; Cedar would let one run on, and one forgotten
quote would then hide every fault behind it. A line break in a string is written `\n`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\\n]|\\[^\n])*+")'
    r'|(?P<open>"(?:[^"\\\n]|\\[^\n])*+)'
    r"|(?P<space>[^\S\n]+|//[^\n]*+)"
    r"|(?P<line>\n)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*+)"
    r"|(?P<mark>[;@(])"
    r"|(?P<close>\))"
    r'|(?P<other>[^"\s;@()A-Za-z_/]++|/)'
)
_HEADS = frozenset({"permit", "forbid"})


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
    """A piece whose end has not come yet."""

    at: int
    line: int
    id: str = ""
    open_line: int = 0
    has_head: bool = False
    annotated: tuple[int, int] | None = None  # since the last head
    heads: tuple[tuple[int, int], ...] = ()
    words: tuple[str, ...] = ()  # the last few

    def take(self, kind: str, word: str, at: int, line: int) -> None:
        """Hear one more word of it."""
        if kind == "open":
            self.open_line = self.open_line or line
        elif word == "@":
            self.annotated = self.annotated or (at, line)
        elif word == "(" and self.words and self.words[-1] in _HEADS:
            self._head(at - len(self.words[-1]), line)
        elif kind == "string" and self.words[-3:] == ("@", "id", "("):
            self.id = self.id or word[1:-1]
        self.words = (*self.words[-2:], word)

    def _head(self, at: int, line: int) -> None:
        if self.has_head:
            self.heads += (self.annotated or (at, line),)
        self.has_head, self.annotated = True, None

    def end(self, text: str, to: int, *, ended: bool) -> Piece:
        heads = tuple((at - self.at, line) for at, line in self.heads)
        return Piece(
            text[self.at : to], self.line, self.id, self.open_line, ended, heads
        )


def split(text: str, line: int = 1) -> Iterator[Piece]:
    """Cut a text into its policies.

    Args:
        text: Of one file, or a part of it.
        line: The line that it starts on.
    """
    begun: _Begun | None = None
    end = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup or ""
        if kind == "line":
            line += 1
        if kind in ("line", "space"):
            continue
        if begun is None:
            begun = _Begun(token.start(), line)
        end = token.end()
        if token[0] == ";" and kind == "mark":
            yield begun.end(text, end, ended=True)
            begun = None
        else:
            begun.take(kind, token[0], token.start(), line)
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
    words: tuple[str, ...] = ()
    effect = ""
    for token in _TOKEN.finditer(text):
        word = token[0]
        if not effect and word == "(" and words[-1] in _HEADS:
            effect = words[-1]
        elif effect and token.lastgroup == "close":
            return f"{effect} (principal, action, resource){text[token.end() :]}"
        if token.lastgroup not in ("space", "line"):
            words = (word,)
    return text
