"""Credentials in a command line, and what of the command line may be shown."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from answerable.connectors.formats.credential_name import Says, says
from answerable.connectors.formats.credential_position import (
    Found,
    Position,
    in_header,
    in_text,
    in_unnamed,
    in_variable,
    pass_through,
)
from answerable.connectors.formats.dsn import is_url
from answerable.connectors.formats.jsonc import parse_jsonc
from answerable.connectors.formats.node import Node, walk
from answerable.connectors.formats.redaction import (
    HIDDEN,
    clean,
    show_url,
    show_word,
)
from answerable.model.credential import CredentialClass
from answerable.model.errors import ParseError

ARGUMENTS_LIMIT = 1_000
# Flags that choose among the logins of a home, with the kind of what they choose.
SELECTIONS = {
    "profile": "aws-profile",
    "aws-profile": "aws-profile",
    "context": "kubeconfig",
    "kube-context": "kubeconfig",
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_FLAG = re.compile(r"--?[A-Za-z][A-Za-z0-9_.-]{0,63}")
_BREAKS = re.compile(r"[\s;&|()]+")
_LITERAL = CredentialClass.LITERAL


@dataclass(slots=True)
class Argv:
    """A command line, read.

    Attributes:
        found: Credentials in it, in order.
        shown: Its words as they may be shown.
        env_files: Environment files it names.
        selections: Values of `--profile` and `--context`, with the flag as name.
        cut: True when it was too long to be read whole.
    """

    found: list[Found] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    env_files: list[Position] = field(default_factory=list)
    selections: list[Position] = field(default_factory=list)
    cut: bool = False


def read_argv(words: Sequence[Position], given: Collection[str] = ()) -> Argv:
    """Read a command line.

    Args:
        words: Its words; the name of each position is not looked at.
        given: Variables the entry sets itself: passing these on by name is no
            credential of its own.
    """
    argv = Argv(cut=len(words) > ARGUMENTS_LIMIT)
    _Reader(argv, given, deep=True).read(words[:ARGUMENTS_LIMIT])
    return argv


@dataclass(slots=True)
class _Reader:
    argv: Argv
    given: Collection[str]
    deep: bool
    flag: str = ""  # the flag whose value comes next

    def read(self, words: Sequence[Position]) -> None:
        for word in words:
            text = word.value
            if self.flag and not (text.startswith("-") and _FLAG.fullmatch(text)):
                flag, self.flag = self.flag, ""
                self._value(flag, word, "")
                continue
            name, equals, value = text.partition("=")
            if _FLAG.fullmatch(name):
                self._flag(word, name, equals, value)
            else:
                self._plain(word)

    def _flag(self, word: Position, name: str, equals: str, value: str) -> None:
        self.flag = ""
        if equals:
            inner = Position(name, word.pointer, value)
            self._value(name, inner, name + "=")
        elif name.startswith("-e") and len(name) > 2 and name[2].isupper():
            self._value("-e", Position(name, word.pointer, name[2:]), "-e")
        else:
            self.flag = name if _takes_value(name) else ""
            self.argv.shown.append(show_word(name))

    def _value(self, flag: str, word: Position, shown: str) -> None:
        """Read the value of a flag; `shown` is what stands before it in the word."""
        found: tuple[Found, ...] = ()
        position = Position(flag.lstrip("-"), word.pointer, word.value)
        match _meaning(flag):
            case "env":
                found = self._environment(word)
            case "env-file":
                self.argv.env_files.append(position)
            case "header":
                found = _header(word)
            case "user":
                user, colon, secret = word.value.partition(":")
                if colon and user:
                    inner = Position("password", word.pointer, secret)
                    found = in_text(inner, "password", literal=True)
            case "selection":
                self.argv.selections.append(position)
                self._plain(word, shown)
                return
            case "named":
                found = in_variable(position)
            case _:
                self._plain(word, shown)
                return
        self.argv.found += found
        self.argv.shown.append(shown + _show(word.value, found))

    def _environment(self, word: Position) -> tuple[Found, ...]:
        name, equals, value = word.value.partition("=")
        if not _VARIABLE.fullmatch(name):
            return in_unnamed(word)
        if equals:
            return in_variable(Position(name, word.pointer, value))
        return () if name in self.given else pass_through(name, word.pointer)

    def _plain(self, word: Position, shown: str = "") -> None:
        text = word.value.strip()
        if text[:1] in ("{", "[") and self._json(word, shown):
            return
        if self.deep and len(text.split(None, 1)) > 1:
            self._shell(word, shown)
            return
        name, equals, value = text.partition("=")
        if equals and _VARIABLE.fullmatch(name):
            found = in_variable(Position(name, word.pointer, value))
        else:
            found = in_unnamed(Position("argument", word.pointer, text))
        self.argv.found += found
        self.argv.shown.append(shown + _show(text, found))

    def _json(self, word: Position, shown: str) -> bool:
        try:
            root = Node("", parse_jsonc(word.value))
        except ParseError:
            return False
        for leaf in walk(root):
            name = leaf.pointer.rpartition("/")[2]
            self.argv.found += in_variable(Position(name, word.pointer, leaf.text()))
        self.argv.shown.append(shown + "{...}")
        return True

    def _shell(self, word: Position, shown: str) -> None:
        """Read a word that is a command line of its own (`sh -c "..."`)."""
        inner = Argv()
        parts = _BREAKS.split(word.value, maxsplit=ARGUMENTS_LIMIT)
        if len(parts) > ARGUMENTS_LIMIT:
            self.argv.cut = True
            parts = parts[:ARGUMENTS_LIMIT]
        bare = (part.strip("'\"") for part in parts)
        _Reader(inner, self.given, deep=False).read(
            [Position("", word.pointer, part) for part in bare if part]
        )
        self.argv.found += inner.found
        self.argv.env_files += inner.env_files
        self.argv.selections += inner.selections
        self.argv.shown.append(f"{shown}'{clean(' '.join(inner.shown), 300)}'")


def _meaning(flag: str) -> str:
    name = flag.lstrip("-").lower()
    if flag == "-e" or name in ("env", "environment", "set-env-vars"):
        return "env"
    if name in ("env-file", "envfile", "env_file", "dotenv"):
        return "env-file"
    if flag == "-H" or name in ("header", "headers", "http-header"):
        return "header"
    if flag == "-u" or name in ("user", "basic-auth", "proxy-user"):
        return "user"
    if name in SELECTIONS:
        return "selection"
    return "" if says(name) is Says.NOTHING else "named"


def _takes_value(flag: str) -> bool:
    return bool(_meaning(flag))


def _header(word: Position) -> tuple[Found, ...]:
    colon, equals = word.value.find(":"), word.value.find("=")
    cut = colon if colon >= 0 and (equals < 0 or colon < equals) else equals
    if cut < 0:
        return in_unnamed(word)
    name, value = word.value[:cut].strip(), word.value[cut + 1 :].strip()
    return in_header(Position(name, word.pointer, value))


def _show(text: str, found: tuple[Found, ...]) -> str:
    """Show a word; of a word that holds a literal only the name before it."""
    if not any(item.cls is _LITERAL for item in found):
        return show_word(text) if text else text
    if is_url(text):
        return show_url(text)
    for mark in ("=", ":"):
        name, present, _ = text.partition(mark)
        if present and _VARIABLE.fullmatch(name.replace("-", "_")):
            return show_word(name) + mark + HIDDEN
    return HIDDEN
