"""Command line parser: credentials and redacted words."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.connectors.formats.credential_detection import (
    Found,
    Position,
    in_header,
    in_named_values,
    in_text,
    in_unnamed,
    in_variable,
    pass_through,
)
from answerable.connectors.formats.credential_name import Says, says
from answerable.connectors.formats.document_node import Node, walk
from answerable.connectors.formats.jsonc_parser import parse_jsonc
from answerable.connectors.formats.password_flags import (
    ProfileWrapper,
    joined_password,
    may_take_password,
    program_name,
    takes_password,
)
from answerable.connectors.formats.redaction import (
    clean,
    show_url,
    show_word,
)
from answerable.connectors.formats.secrets_in_text import (
    HIDDEN,
    TEXT_LIMIT,
    last_name,
    mask_values,
)
from answerable.connectors.formats.url_secrets import is_url
from answerable.model.credential import CredentialClass
from answerable.model.errors import ParseError

ARGUMENTS_LIMIT = 1_000
# Flags that choose among the logins of a home, with the kind of what they choose.
SELECTIONS = {
    "profile": "aws-profile",
    "aws-profile": "aws-profile",
    # https://github.com/Versent/saml2aws#saml2aws-exec
    "exec-profile": "aws-profile",
    "context": "kubeconfig",
    "kube-context": "kubeconfig",
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_FLAG = re.compile(r"--?[A-Za-z][A-Za-z0-9_.-]{0,63}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_QUOTED = ("{", "[", '"', "'", "\\")
_BREAKS = re.compile(r"[\s;&|()]+")
_LITERAL = CredentialClass.LITERAL


@dataclass(slots=True)
class Argv:
    """Parsed command line.

    Attributes:
        found: Credentials in it, in order.
        shown: Redacted words.
        env_files: Named environment files.
        selections: Values of `--profile` and `--context`, with the flag as name.
        cut: True if it was too long to read completely.
    """

    found: list[Found] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    env_files: list[Position] = field(default_factory=list)
    selections: list[Position] = field(default_factory=list)
    cut: bool = False


def read_argv(words: Sequence[Position], given: Collection[str] = ()) -> Argv:
    """Parse a command line.

    Args:
        words: Its words; position names are ignored.
        given: Variables that the entry sets itself; passing them by name adds no
            credential.
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
    program: str = ""  # the program of a known command line, which may stand in another
    login: bool = False  # its subcommand is `login`
    wrapper: ProfileWrapper = field(default_factory=ProfileWrapper)

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
                continue
            self.program = program_name(text) or self.program
            self.login = self.login or text == "login"
            self._wrapped(word)
            self._plain(word)
            self.flag = last_name(text)

    def _flag(self, word: Position, name: str, equals: str, value: str) -> None:
        self.flag = ""
        joined = joined_password(self.program, word.value)
        if joined:
            secret = word.value.removeprefix(joined)
            self._value(joined, Position(joined, word.pointer, secret), joined)
        elif equals:
            inner = Position(name, word.pointer, value)
            self._value(name, inner, name + "=")
        elif name.startswith("-e") and len(name) > 2 and name[2].isupper():
            self._value("-e", Position(name, word.pointer, name[2:]), "-e")
        else:
            self.flag = name
            self.argv.shown.append(show_word(name))

    def _value(self, flag: str, word: Position, shown: str) -> None:
        """Read the value of a flag; `shown` is the text before it in the word."""
        found: tuple[Found, ...] = ()
        position = Position(flag.lstrip("-"), word.pointer, word.value)
        match self._meaning(flag, word.value):
            case "password":
                inner = Position("password", word.pointer, word.value)
                found = in_text(inner, "password", literal=True)
            case "env":
                found = self._environment(word)
            case "env-file":
                self.argv.env_files.append(position)
            case "header" if word.value.lstrip()[:1] not in _QUOTED:
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
                if not shown:
                    self._wrapped(word, flag)
                self._plain(word, shown)
                return
        self._add(found, word.value)
        self.argv.shown.append(shown + _show(word.value, found))

    def _wrapped(self, word: Position, flag: str = "") -> None:
        if self.wrapper.take(word.value, flag):
            profile = Position("profile", word.pointer, word.value)
            self.argv.selections.append(profile)

    def _meaning(self, flag: str, value: str) -> str:
        """Classify the value of a flag; empty for a separate word."""
        if takes_password(self.program, flag, login=self.login):
            return "password"
        meaning = _meaning(flag)
        if meaning == "env" and not _VARIABLE.fullmatch(value.partition("=")[0]):
            return ""
        if not meaning and may_take_password(self.program, flag, value):
            return "password"
        return meaning

    def _add(self, found: Sequence[Found], text: str) -> None:
        """Add found credentials, except placeholders of masked values."""
        masked = HIDDEN in text
        self.argv.found += (
            item
            for item in found
            if not (masked and item.cls is CredentialClass.KEYCHAIN and not item.value)
        )

    def _environment(self, word: Position) -> tuple[Found, ...]:
        name, equals, value = word.value.partition("=")
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
        self._add(found, text)
        self.argv.shown.append(shown + _show(text, found))

    def _json(self, word: Position, shown: str) -> bool:
        try:
            root = Node("", parse_jsonc(word.value))
        except ParseError:
            return False
        for leaf in _named_leaves(root):
            self.argv.found += in_variable(replace(leaf, pointer=word.pointer))
        self.argv.shown.append(shown + "{...}")
        return True

    def _shell(self, word: Position, shown: str) -> None:
        """Read a word that is itself a command line (`sh -c "..."`)."""
        inner = Argv(found=list(in_named_values(word)))
        parts = _BREAKS.split(mask_values(word.value), maxsplit=ARGUMENTS_LIMIT)
        if len(parts) > ARGUMENTS_LIMIT or len(word.value) > TEXT_LIMIT:
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


def _named_leaves(root: Node) -> Iterator[Position]:
    """List the scalars of a document, each with its effective name.

    List items use the list's name; `value` in `{"name": N, "value": V}` uses `N`.
    """
    for leaf in walk(root):
        names = [part for part in leaf.pointer.split("/") if not part.isdigit()]
        yield Position(names[-1] if names else "", leaf.pointer, leaf.text())
    stack = [root.raw]
    while stack:
        raw = stack.pop()
        if isinstance(raw, dict):
            name, value = raw.get("name") or raw.get("key"), raw.get("value")
            if isinstance(name, str) and isinstance(value, str):
                yield Position(name, "", value)
            stack += raw.values()
        elif isinstance(raw, list):
            stack += raw


def _header(word: Position) -> tuple[Found, ...]:
    colon, equals = word.value.find(":"), word.value.find("=")
    cut = colon if colon >= 0 and (equals < 0 or colon < equals) else equals
    if cut < 0:
        return in_unnamed(word)
    name, value = word.value[:cut].strip(), word.value[cut + 1 :].strip()
    if not _HEADER_NAME.fullmatch(name):
        return in_unnamed(word)
    return in_header(Position(name, word.pointer, value))


def _show(text: str, found: tuple[Found, ...]) -> str:
    """Redact a word; of a word with a literal, show only the name before it."""
    if not any(item.cls is _LITERAL for item in found):
        return show_word(text) if text else text
    if is_url(text):
        return show_url(text)
    for mark in ("=", ":"):
        name, present, _ = text.partition(mark)
        if present and _VARIABLE.fullmatch(name.replace("-", "_")):
            return show_word(name) + mark + HIDDEN
    return HIDDEN
