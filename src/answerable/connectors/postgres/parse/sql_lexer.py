"""Split a PostgreSQL dump into statements of tokens, without the data of COPY.

Source: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class TokenKind(StrEnum):
    """Kind of a token."""

    WORD = "word"
    QUOTED = "quoted"
    STRING = "string"
    SYMBOL = "symbol"
    META = "meta"


@dataclass(frozen=True, slots=True)
class SqlToken:
    """Token of a statement.

    Attributes:
        text: As written.
        start: Offset in the dump.
    """

    kind: TokenKind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Return the offset after the token."""
        return self.start + len(self.text)

    @property
    def keyword(self) -> str:
        """Return an unquoted word in upper case; a symbol as it is; else empty."""
        if self.kind is TokenKind.WORD:
            return self.text.upper()
        return self.text if self.kind is TokenKind.SYMBOL else ""


@dataclass(frozen=True, slots=True)
class SqlStatement:
    r"""Statement of a dump, or one psql meta-command (`\connect shop`).

    Attributes:
        line: Number of its first line, from 1.
    """

    tokens: tuple[SqlToken, ...]
    line: int


_TOKEN = re.compile(
    r"(?P<skip>\s+|--[^\n]*)"
    r"|(?P<block>/\*)"
    r"|(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')"
    r"|(?P<word>[^\W\d][\w$]*)"
    r'|(?P<quoted>"(?:[^"]|"")*")'
    r"|(?P<string>'(?:[^']|'')*')"
    r"|(?P<dollar>\$(?:[^\W\d]\w*)?\$)"
    r"|(?P<meta>\\[^\n]*)"
    r"|(?P<symbol>\d[\w.]*|.)",
    re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_KINDS = {
    "escaped": TokenKind.STRING,
    "word": TokenKind.WORD,
    "quoted": TokenKind.QUOTED,
    "string": TokenKind.STRING,
    "dollar": TokenKind.STRING,
    "meta": TokenKind.META,
    "symbol": TokenKind.SYMBOL,
}


class SqlLexer:
    """Lexer of one dump."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._counted = 1, 0

    def iter_statements(self) -> Iterator[SqlStatement]:
        """Yield the statements and meta-commands in order, each without its `;`."""
        tokens: list[SqlToken] = []
        nesting = _Nesting()
        for token in self._iter_tokens():
            if token.kind is TokenKind.META and not tokens:
                yield self._build_statement([token])
            elif token.keyword == ";" and nesting.is_top_level:
                if tokens:
                    yield self._build_statement(tokens)
                    self._skip_copy_data(tokens)
                tokens, nesting = [], _Nesting()
            else:
                nesting.count_token(token)
                tokens.append(token)
        if tokens:
            yield self._build_statement(tokens)

    def _iter_tokens(self) -> Iterator[SqlToken]:
        """Yield the tokens without comments; the text's end ends an open string."""
        text = self._text
        while self._at < len(text):
            found = next(_TOKEN.finditer(text, self._at))
            group, start, self._at = found.lastgroup or "", found.start(), found.end()
            if group == "block":
                self._at = _find_comment_end(text, self._at)
            elif group == "dollar":
                end = text.find(found[0], self._at)
                self._at = len(text) if end < 0 else end + len(found[0])
                yield SqlToken(TokenKind.STRING, text[start : self._at], start)
            elif group != "skip":
                yield SqlToken(_KINDS[group], found[0], start)

    def _build_statement(self, tokens: list[SqlToken]) -> SqlStatement:
        """Build a statement with the number of its first line."""
        start = tokens[0].start
        self._line += self._text.count("\n", self._counted, start)
        self._counted = start
        return SqlStatement(tuple(tokens), self._line)

    def _skip_copy_data(self, tokens: list[SqlToken]) -> None:
        r"""Skip the data lines after `COPY ... FROM stdin;` up to `\.`."""
        words = [token.keyword for token in tokens]
        if words[0] == "COPY" and words[-2:] == ["FROM", "STDIN"]:
            end = self._text.find("\n\\.", self._at)
            self._at = len(self._text) if end < 0 else end + 3


class _Nesting:
    """Nesting of a statement: parentheses, and the body `BEGIN ATOMIC ... END`."""

    def __init__(self) -> None:
        self._parentheses = 0
        self._blocks = 0
        self._last = ""

    @property
    def is_top_level(self) -> bool:
        """Return whether a semicolon ends the statement here."""
        return self._parentheses <= 0 and self._blocks <= 0

    def count_token(self, token: SqlToken) -> None:
        """Track at an SQL token the depth of parentheses and atomic blocks."""
        word = token.keyword
        self._parentheses += (word == "(") - (word == ")")
        if self._blocks:
            self._blocks += (word == "CASE") - (word == "END")
        elif word == "ATOMIC" and self._last == "BEGIN":
            self._blocks = 1
        self._last = word


def _find_comment_end(text: str, at: int) -> int:
    """Return the offset after a block comment; such comments nest."""
    depth = 1
    for edge in _BLOCK_EDGE.finditer(text, at):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return len(text)
