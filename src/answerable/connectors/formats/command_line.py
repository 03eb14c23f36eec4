"""Parse a command line into credentials and words with secrets redacted."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
    find_in_credential_field,
    find_in_free_text,
    find_in_header,
    find_in_text_by_format,
    find_in_variable,
    find_passed_variable,
)
from answerable.connectors.formats.credential_name import (
    ValueMeaning,
    classify_value_by_name,
)
from answerable.connectors.formats.document_node import DocumentNode, walk_scalars
from answerable.connectors.formats.jsonc_parser import parse_jsonc
from answerable.connectors.formats.password_flags import (
    ProfileWrapperReader,
    find_joined_option,
    find_known_program_name,
    may_take_password,
    takes_password,
)
from answerable.connectors.formats.redaction import (
    make_printable_line,
    redact_url,
    redact_word,
)
from answerable.connectors.formats.secrets_in_text import (
    HIDDEN,
    TEXT_LIMIT,
    find_trailing_secret_name,
    mask_named_secrets,
)
from answerable.connectors.formats.url_secrets import is_url
from answerable.model.credential import CredentialClass
from answerable.model.errors import ParseError

ARGUMENTS_LIMIT = 1_000
# Flags that choose among the logins of a home, with the kind of what they choose.
LOGIN_SELECTING_FLAGS = {
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
_SHELL_SEPARATORS = re.compile(r"[\s;&|()]+")
_LITERAL = CredentialClass.LITERAL


@dataclass(slots=True)
class ParsedCommandLine:
    """Parsed command line.

    Attributes:
        found: Credentials in it, in order.
        redacted_words: Redacted words.
        env_files: Named environment files.
        selections: Values of `--profile` and `--context`, with the flag as name.
        is_truncated: True if it was too long to read completely.
    """

    found: list[FoundCredential] = field(default_factory=list)
    redacted_words: list[str] = field(default_factory=list)
    env_files: list[NamedText] = field(default_factory=list)
    selections: list[NamedText] = field(default_factory=list)
    is_truncated: bool = False


def parse_command_line(
    words: Sequence[NamedText], entry_variables: Collection[str] = ()
) -> ParsedCommandLine:
    """Parse a command line: credentials, selected logins, redacted words.

    Args:
        words: Its words; position names are ignored.
        entry_variables: Variables that the entry sets itself; passing them by name adds no
            credential.
    """
    argv = ParsedCommandLine(is_truncated=len(words) > ARGUMENTS_LIMIT)
    _CommandLineReader(argv, entry_variables, parse_nested=True).read_words(
        words[:ARGUMENTS_LIMIT]
    )
    return argv


@dataclass(slots=True)
class _CommandLineReader:
    argv: ParsedCommandLine
    entry_variables: Collection[str]
    parse_nested: bool
    flag: str = ""  # the flag whose value comes next
    program: str = ""  # the program of a known command line, which may stand in another
    login: bool = False  # its subcommand is `login`
    wrapper: ProfileWrapperReader = field(default_factory=ProfileWrapperReader)

    def read_words(self, words: Sequence[NamedText]) -> None:
        """Read a command's words in order, for credentials in its flags."""
        for word in words:
            text = word.value
            if self.flag and not (text.startswith("-") and _FLAG.fullmatch(text)):
                flag, self.flag = self.flag, ""
                self._read_flag_value(flag, word, "")
                continue
            name, equals, value = text.partition("=")
            if _FLAG.fullmatch(name):
                self._read_flag(word, name, equals, value)
                continue
            self.program = find_known_program_name(text) or self.program
            self.login = self.login or text == "login"
            self._read_wrapper_word(word)
            self._read_plain_word(word)
            self.flag = find_trailing_secret_name(text)

    def _read_flag(
        self, word: NamedText, name: str, separator: str, value: str
    ) -> None:
        """Read a flag, with its value if that is in the same word."""
        self.flag = ""
        joined = find_joined_option(self.program, word.value)
        if joined:
            secret = word.value.removeprefix(joined)
            self._read_flag_value(
                joined, NamedText(joined, word.pointer, secret), joined
            )
        elif separator:
            inner = NamedText(name, word.pointer, value)
            self._read_flag_value(name, inner, name + "=")
        elif name.startswith("-e") and len(name) > 2 and name[2].isupper():
            self._read_flag_value("-e", NamedText(name, word.pointer, name[2:]), "-e")
        else:
            self.flag = name
            self.argv.redacted_words.append(redact_word(name))

    def _read_flag_value(self, flag: str, word: NamedText, prefix: str) -> None:
        """Read the value of a flag; `prefix` is the text before it in the word."""
        found: tuple[FoundCredential, ...] = ()
        position = NamedText(flag.lstrip("-"), word.pointer, word.value)
        match self._classify_flag_value(flag, word.value):
            case "password":
                inner = NamedText("password", word.pointer, word.value)
                found = find_in_credential_field(inner, "password", literal=True)
            case "env":
                found = self._read_variable(word)
            case "env-file":
                self.argv.env_files.append(position)
            case "header" if word.value.lstrip()[:1] not in _QUOTED:
                found = _read_header(word)
            case "user":
                user, colon, secret = word.value.partition(":")
                if colon and user:
                    inner = NamedText("password", word.pointer, secret)
                    found = find_in_credential_field(inner, "password", literal=True)
            case "selection":
                self.argv.selections.append(position)
                self._read_plain_word(word, prefix)
                return
            case "named":
                found = find_in_variable(position)
            case _:
                if not prefix:
                    self._read_wrapper_word(word, flag)
                self._read_plain_word(word, prefix)
                return
        self._add_found_credentials(found, word.value)
        self.argv.redacted_words.append(prefix + _redact_argument(word.value, found))

    def _read_wrapper_word(self, word: NamedText, flag: str = "") -> None:
        """Record the AWS profile that a wrapper command selects."""
        if self.wrapper.read_word(word.value, flag):
            profile = NamedText("profile", word.pointer, word.value)
            self.argv.selections.append(profile)

    def _classify_flag_value(self, flag: str, value: str) -> str:
        """Return the role of a flag's value, e.g. `env`, `header`, `password`."""
        if takes_password(self.program, flag, login=self.login):
            return "password"
        meaning = _classify_flag_name(flag)
        if meaning == "env" and not _VARIABLE.fullmatch(value.partition("=")[0]):
            return ""
        if not meaning and may_take_password(self.program, flag, value):
            return "password"
        return meaning

    def _add_found_credentials(
        self, credentials: Sequence[FoundCredential], text: str
    ) -> None:
        """Add found credentials, except placeholders of masked values."""
        masked = HIDDEN in text
        self.argv.found += (
            item
            for item in credentials
            if not (masked and item.cls is CredentialClass.KEYCHAIN and not item.value)
        )

    def _read_variable(self, word: NamedText) -> tuple[FoundCredential, ...]:
        """Classify a `NAME=value` or passed variable of a flag."""
        name, equals, value = word.value.partition("=")
        if equals:
            return find_in_variable(NamedText(name, word.pointer, value))
        return (
            ()
            if name in self.entry_variables
            else find_passed_variable(name, word.pointer)
        )

    def _read_plain_word(self, word: NamedText, prefix: str = "") -> None:
        """Read a word that is neither a flag nor its value."""
        text = word.value.strip()
        if text[:1] in ("{", "[") and self._read_json_word(word, prefix):
            return
        if self.parse_nested and len(text.split(None, 1)) > 1:
            self._read_shell_word(word, prefix)
            return
        name, equals, value = text.partition("=")
        if equals and _VARIABLE.fullmatch(name):
            found = find_in_variable(NamedText(name, word.pointer, value))
        else:
            found = find_in_text_by_format(NamedText("argument", word.pointer, text))
        self._add_found_credentials(found, text)
        self.argv.redacted_words.append(prefix + _redact_argument(text, found))

    def _read_json_word(self, word: NamedText, prefix: str) -> bool:
        """Read a word of JSON; False if it is not JSON."""
        try:
            root = DocumentNode("", parse_jsonc(word.value))
        except ParseError:
            return False
        for leaf in _list_named_scalars(root):
            self.argv.found += find_in_variable(replace(leaf, pointer=word.pointer))
        self.argv.redacted_words.append(prefix + "{...}")
        return True

    def _read_shell_word(self, word: NamedText, prefix: str) -> None:
        """Read a word that is itself a command line (`sh -c "..."`)."""
        inner = ParsedCommandLine(found=list(find_in_free_text(word)))
        parts = _SHELL_SEPARATORS.split(
            mask_named_secrets(word.value), maxsplit=ARGUMENTS_LIMIT
        )
        if len(parts) > ARGUMENTS_LIMIT or len(word.value) > TEXT_LIMIT:
            self.argv.is_truncated = True
            parts = parts[:ARGUMENTS_LIMIT]
        bare = (part.strip("'\"") for part in parts)
        _CommandLineReader(inner, self.entry_variables, parse_nested=False).read_words(
            [NamedText("", word.pointer, part) for part in bare if part]
        )
        self.argv.found += inner.found
        self.argv.env_files += inner.env_files
        self.argv.selections += inner.selections
        self.argv.redacted_words.append(
            f"{prefix}'{make_printable_line(' '.join(inner.redacted_words), 300)}'"
        )


def _classify_flag_name(flag: str) -> str:
    """Return the role of a flag's value: env, header, user, named, ... or empty."""
    name = flag.lstrip("-").lower()
    if flag == "-e" or name in ("env", "environment", "set-env-vars"):
        return "env"
    if name in ("env-file", "envfile", "env_file", "dotenv"):
        return "env-file"
    if flag == "-H" or name in ("header", "headers", "http-header"):
        return "header"
    if flag == "-u" or name in ("user", "basic-auth", "proxy-user"):
        return "user"
    if name in LOGIN_SELECTING_FLAGS:
        return "selection"
    return "" if classify_value_by_name(name) is ValueMeaning.NOTHING else "named"


def _list_named_scalars(root: DocumentNode) -> Iterator[NamedText]:
    """List the scalars of a document, each with its effective name.

    List items use the list's name; `value` in `{"name": N, "value": V}` uses `N`.
    """
    for leaf in walk_scalars(root):
        names = [part for part in leaf.pointer.split("/") if not part.isdigit()]
        yield NamedText(names[-1] if names else "", leaf.pointer, leaf.text())
    stack = [root.raw]
    while stack:
        raw = stack.pop()
        if isinstance(raw, dict):
            name, value = raw.get("name") or raw.get("key"), raw.get("value")
            if isinstance(name, str) and isinstance(value, str):
                yield NamedText(name, "", value)
            stack += raw.values()
        elif isinstance(raw, list):
            stack += raw


def _read_header(word: NamedText) -> tuple[FoundCredential, ...]:
    """Classify a header argument, `NAME: value` or `NAME=value`."""
    colon, equals = word.value.find(":"), word.value.find("=")
    cut = colon if colon >= 0 and (equals < 0 or colon < equals) else equals
    if cut < 0:
        return find_in_text_by_format(word)
    name, value = word.value[:cut].strip(), word.value[cut + 1 :].strip()
    if not _HEADER_NAME.fullmatch(name):
        return find_in_text_by_format(word)
    return find_in_header(NamedText(name, word.pointer, value))


def _redact_argument(text: str, credentials: tuple[FoundCredential, ...]) -> str:
    """Redact a word; of a word with a literal, show only the name before it."""
    if not any(item.cls is _LITERAL for item in credentials):
        return redact_word(text) if text else text
    if is_url(text):
        return redact_url(text)
    for mark in ("=", ":"):
        name, present, _ = text.partition(mark)
        if present and _VARIABLE.fullmatch(name.replace("-", "_")):
            return redact_word(name) + mark + HIDDEN
    return HIDDEN
