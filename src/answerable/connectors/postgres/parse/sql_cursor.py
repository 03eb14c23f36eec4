"""Read a statement token by token: keywords, names, lists and signatures."""

from answerable.connectors.postgres.parse.sql_lexer import (
    SqlStatement,
    SqlToken,
    TokenKind,
)
from answerable.model.errors import ParseError
from answerable.model.postgres_ids import join_qualified_sql_name

_END = SqlToken(TokenKind.SYMBOL, "", 0)


class SqlCursor:
    """Position in the tokens of one statement."""

    def __init__(self, text: str, statement: SqlStatement) -> None:
        self._text = text
        self._tokens = statement.tokens
        self._at = 0

    @property
    def next_token(self) -> SqlToken:
        """Return the next token; an empty symbol at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    @property
    def at_end(self) -> bool:
        """Return whether every token was read."""
        return self._at >= len(self._tokens)

    def advance(self) -> SqlToken:
        """Return the next token and move past it."""
        token = self.next_token
        self._at += 1
        return token

    def accept_keywords(self, *words: str) -> bool:
        """Move past a sequence of keywords if it comes next."""
        ahead = self._tokens[self._at : self._at + len(words)]
        if tuple(token.keyword for token in ahead) != words:
            return False
        self._at += len(words)
        return True

    def accept_any_keyword(self, *words: str) -> str:
        """Move past the next SQL keyword if listed; return it, or "" if not."""
        word = self.next_token.keyword
        if word not in words:
            return ""
        self._at += 1
        return word

    def expect_keywords(self, *words: str) -> None:
        """Move past a sequence of keywords.

        Raises:
            ParseError: Something else comes next.
        """
        if not self.accept_keywords(*words):
            raise ParseError(
                f"expected {' '.join(words)}", offset=self.next_token.start
            )

    def skip_to_keywords(self, *words: str) -> bool:
        """Move past the next occurrence of a keyword sequence outside parentheses."""
        depth = 0
        while not self.at_end:
            if not depth and self.accept_keywords(*words):
                return True
            word = self.advance().keyword
            depth += (word == "(") - (word == ")")
        return False

    def contains_keywords(self, *words: str) -> bool:
        """Return whether a keyword sequence comes later outside parentheses."""
        at = self._at
        found = self.skip_to_keywords(*words)
        self._at = at
        return found

    def read_name(self) -> str:
        """Read one identifier; an unquoted one folds to lower case.

        Raises:
            ParseError: No identifier comes next.
        """
        token = self.advance()
        if token.kind is TokenKind.WORD:
            return token.text.lower()
        if token.kind is TokenKind.QUOTED:
            return token.text[1:-1].replace('""', '"')
        raise ParseError("expected a name", offset=token.start)

    def read_qualified_name(self) -> tuple[str, ...]:
        """Read a qualified name: `schema.table`.

        Raises:
            ParseError: No identifier comes next.
        """
        names = [self.read_name()]
        while self.accept_keywords("."):
            names.append(self.read_name())
        return tuple(names)

    def read_name_list(self) -> tuple[str, ...]:
        """Read names with commas between them.

        Raises:
            ParseError: No identifier comes next.
        """
        names = [self.read_name()]
        while self.accept_keywords(","):
            names.append(self.read_name())
        return tuple(names)

    def read_parenthesized_parts(self) -> tuple[tuple[SqlToken, ...], ...]:
        """Read `( ... )`; return its parts between top-level commas.

        Raises:
            ParseError: It does not start here, or does not end.
        """
        self.expect_keywords("(")
        parts: list[list[SqlToken]] = [[]]
        depth = 1
        while not self.at_end:
            token = self.advance()
            depth += (token.keyword in ("(", "[")) - (token.keyword in (")", "]"))
            if not depth:
                return tuple(tuple(part) for part in parts if part)
            if depth == 1 and token.keyword == ",":
                parts.append([])
            else:
                parts[-1].append(token)
        raise ParseError("expected )", offset=self.next_token.start)

    def read_function_signature(self) -> tuple[str, str]:
        """Read a function's name and arguments; return its schema and signature.

        The signature has no default values, so that CREATE, ALTER and GRANT agree.

        Raises:
            ParseError: No name comes next.
        """
        names = self.read_qualified_name()
        arguments = []
        for part in self.read_parenthesized_parts():
            kept = part
            for at, token in enumerate(part):
                if token.keyword in ("DEFAULT", "="):
                    kept = part[:at]
                    break
            arguments.append(self.join_tokens(kept))
        schema = names[0] if len(names) > 1 else ""
        return schema, f"{join_qualified_sql_name(*names)}({', '.join(arguments)})"

    def join_tokens(self, tokens: tuple[SqlToken, ...]) -> str:
        """Join SQL tokens to one line of text."""
        if not tokens:
            return ""
        return " ".join(self._text[tokens[0].start : tokens[-1].end].split())

    def read_statement_text(self) -> str:
        """Return the text of the whole statement on one line."""
        return self.join_tokens(self._tokens)
