"""Parser of CEL, the language of IAM conditions and attribute mappings.

Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md, "Syntax". Macros,
comprehensions, maps and messages are not parsed: a condition that has them stays open.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

MAX_LENGTH = 12_000  # a policy binding allows 12 logical operators and 4,000 characters
MAX_DEPTH = 60
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.\d+|\d+)[uU]?"
    r"|(?P<string>[rR]?(?:\"\"\".*?\"\"\"|'''.*?'''"
    r"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'))"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<mark>&&|\|\||==|!=|<=|>=|[<>!?:.,()\[\]+\-*/%]))",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_RELATIONS = frozenset(("==", "!=", "<", "<=", ">", ">=", "in"))


@dataclass(frozen=True, slots=True)
class CelNode:
    """Node of a parsed expression.

    Attributes:
        kind: `literal`, `name`, `select`, `call`, `method`, `list`, `index`, `unary`,
            `binary` or `ternary`.
        text: Name, field or operator.
        start, end: Range of the node in the source.
    """

    kind: str
    text: str = ""
    value: str | int | float | bool | None = None
    children: "tuple[CelNode, ...]" = ()
    start: int = 0
    end: int = 0


class CelSyntaxError(ValueError):
    """Expression that this parser does not read."""


@dataclass(frozen=True, slots=True)
class _Token:
    """Token with its range in the source."""

    kind: str
    text: str
    start: int
    end: int


@lru_cache(maxsize=8_192)
def parse_cel(source: str) -> CelNode | None:
    """Parse an expression; None if it is not read."""
    try:
        return _Parser(source).parse()
    except CelSyntaxError:
        return None


def _split_tokens(source: str) -> list[_Token]:
    """Split an expression into tokens."""
    if len(source) > MAX_LENGTH:
        raise CelSyntaxError("too long")
    found: list[_Token] = []
    at = 0
    for match in _TOKEN.finditer(source):
        if match.start() != at:
            raise CelSyntaxError(f"offset {at}")
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind), match.end(kind)))
        at = match.end()
    if source[at:].strip():
        raise CelSyntaxError(f"offset {at}")
    return found


class _Parser:
    """Recursive descent parser of one expression."""

    def __init__(self, source: str) -> None:
        self._tokens = _split_tokens(source)
        self._at = 0
        self._depth = 0

    def parse(self) -> CelNode:
        """Parse the whole expression."""
        node = self._parse_ternary()
        if self._at < len(self._tokens):
            raise CelSyntaxError("text after the expression")
        return node

    def _peek_token(self) -> str:
        """Return the text of the next token; empty at the end and for a string."""
        if self._at >= len(self._tokens):
            return ""
        token = self._tokens[self._at]
        return "" if token.kind == "string" else token.text

    def _take_token(self) -> _Token:
        """Take the next token."""
        if self._at >= len(self._tokens):
            raise CelSyntaxError("the expression is cut off")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect_token(self, text: str) -> _Token:
        """Take a token with the given text."""
        if self._peek_token() != text:
            raise CelSyntaxError(f"expected {text}")
        return self._take_token()

    def _parse_ternary(self) -> CelNode:
        """Parse `a ? b : c`, or an expression without it."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise CelSyntaxError("nested too deeply")
        node = self._parse_binary(0)
        if self._peek_token() == "?":
            self._take_token()
            chosen = self._parse_ternary()
            self._expect_token(":")
            other = self._parse_ternary()
            node = _build_node("ternary", "?:", (node, chosen, other))
        self._depth -= 1
        return node

    def _parse_binary(self, level: int) -> CelNode:
        """Parse operators of one precedence and above, left associative."""
        if level == len(_LEVELS):
            return self._parse_unary()
        node = self._parse_binary(level + 1)
        while self._peek_token() in _LEVELS[level]:
            mark = self._take_token().text
            node = _build_node("binary", mark, (node, self._parse_binary(level + 1)))
        return node

    def _parse_unary(self) -> CelNode:
        """Parse `!` and `-` before an expression."""
        if self._peek_token() in ("!", "-"):
            mark = self._take_token()
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise CelSyntaxError("nested too deeply")
            node = self._parse_unary()
            self._depth -= 1
            return CelNode(
                "unary", mark.text, children=(node,), start=mark.start, end=node.end
            )
        return self._parse_member()

    def _parse_member(self) -> CelNode:
        """Parse field selection, method calls and indexes after an expression."""
        node = self._parse_primary()
        while self._peek_token() in (".", "["):
            if self._take_token().text == "[":
                index = self._parse_ternary()
                end = self._expect_token("]").end
                node = CelNode(
                    "index", "[]", children=(node, index), start=node.start, end=end
                )
                continue
            field = self._take_token()
            if field.kind != "name":
                raise CelSyntaxError("expected a field")
            if self._peek_token() != "(":
                node = CelNode(
                    "select",
                    field.text,
                    children=(node,),
                    start=node.start,
                    end=field.end,
                )
                continue
            arguments, end = self._parse_arguments()
            node = CelNode(
                "method",
                field.text,
                children=(node, *arguments),
                start=node.start,
                end=end,
            )
        return node

    def _parse_arguments(self) -> tuple[tuple[CelNode, ...], int]:
        """Parse the arguments of a call, and return the end of the call."""
        self._expect_token("(")
        found = self._parse_list(")")
        return found, self._expect_token(")").end

    def _parse_list(self, closing: str) -> tuple[CelNode, ...]:
        """Parse expressions with commas between them, up to a closing mark."""
        found: list[CelNode] = []
        while self._peek_token() != closing:
            found.append(self._parse_ternary())
            if self._peek_token() != ",":
                break
            self._take_token()
        return tuple(found)

    def _parse_primary(self) -> CelNode:
        """Parse a literal, a name, a call, a list or a group."""
        token = self._take_token()
        start, end = token.start, token.end
        if token.kind == "number":
            number = float(token.text) if "." in token.text else int(token.text)
            return CelNode("literal", value=number, start=start, end=end)
        if token.kind == "string":
            text = _unquote_literal(token.text)
            return CelNode("literal", value=text, start=start, end=end)
        if token.kind == "name":
            return self._parse_name(token)
        if token.text == "(":
            node = self._parse_ternary()
            self._expect_token(")")
            return node
        if token.text == "[":
            found = self._parse_list("]")
            end = self._expect_token("]").end
            return CelNode("list", "[]", children=found, start=start, end=end)
        raise CelSyntaxError(f"unexpected {token.text}")

    def _parse_name(self, token: _Token) -> CelNode:
        """Parse a constant, a name or a function call."""
        start, end = token.start, token.end
        if token.text in ("true", "false"):
            value = token.text == "true"
            return CelNode("literal", value=value, start=start, end=end)
        if token.text == "null":
            return CelNode("literal", start=start, end=end)
        if self._peek_token() != "(":
            return CelNode("name", token.text, start=start, end=end)
        arguments, end = self._parse_arguments()
        return CelNode("call", token.text, children=arguments, start=start, end=end)


_LEVELS = (
    frozenset(("||",)),
    frozenset(("&&",)),
    _RELATIONS,
    frozenset(("+", "-")),
    frozenset(("*", "/", "%")),
)


def _build_node(kind: str, text: str, children: tuple[CelNode, ...]) -> CelNode:
    """Build a node over its children."""
    start, end = children[0].start, children[-1].end
    return CelNode(kind, text, children=children, start=start, end=end)


def _unquote_literal(text: str) -> str:
    """Return the value of a string literal."""
    raw = text[0] in "rR"
    body = text[1:] if raw else text
    width = 3 if body[:3] in ('"""', "'''") else 1
    body = body[width:-width]
    if raw or "\\" not in body:
        return body
    return re.sub(r"\\(.)", _read_escape, body, flags=re.DOTALL)


def _read_escape(match: re.Match[str]) -> str:
    """Return the character of an escape sequence."""
    letter = match[1]
    if letter.isalnum() and letter not in _ESCAPES:
        raise CelSyntaxError("unknown escape")
    return _ESCAPES.get(letter, letter)
