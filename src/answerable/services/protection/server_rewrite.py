"""Rewrite one MCP server entry so that its client reaches it through the gateway."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from answerable.connectors.formats.credential_locations import FoundCredential
from answerable.connectors.formats.document_edits import Edit, ReplaceMember
from answerable.connectors.formats.document_node import DocumentNode, RawValue
from answerable.connectors.formats.mcp_server_entry import McpServerEntry
from answerable.connectors.formats.secrets_in_text import SCHEMES
from answerable.connectors.formats.value_reference import split_references
from answerable.model.credential import CredentialClass
from answerable.services.protection.os_keyring import PREFIX
from answerable.services.protection.unrecognised_values import find_generated_values

COMMAND_KEYS = ("command", "cmd")
ENVIRONMENT_KEYS = ("env", "envs", "environment")
URL_KEYS = ("url", "serverUrl", "httpUrl", "uri")
HEADER_KEYS = ("headers", "http_headers")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_AWS_PAIR = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_CREDENTIAL_LENGTHS = range(8, 8193)
# Clients that start a server with few variables of their own environment.
_CLEARS_ENVIRONMENT = frozenset({"codex", "claude-desktop"})


class NotMovable(Exception):  # noqa: N818 - says why an entry stays as it is
    """Server entry that stays as it is; the text states the reason without values."""


@dataclass(frozen=True, slots=True)
class RewriteContext:
    """Context of a rewrite.

    Attributes:
        client: Agent client.
        server: Name in the configuration.
        gateway: Words that start the wrapper for this server.
        secret_folder: Folder of secrets, relative to the configuration.
    """

    client: str
    server: str
    gateway: tuple[str, ...]
    secret_folder: str = "secrets"  # noqa: S105 - a folder


@dataclass(slots=True)
class ServerRewrite:
    """Rewrite of one entry.

    Attributes:
        server: Name in the configuration.
        edits: Edits of the client's file.
        declared: The server in the configuration.
        secrets: Triples (name, file relative to the configuration, value).
        kept: Names of literal secrets that stay in the entry.
    """

    server: str
    edits: list[Edit] = field(default_factory=list)
    declared: dict[str, RawValue] = field(default_factory=dict)
    secrets: list[tuple[str, str, str]] = field(default_factory=list, repr=False)
    kept: list[str] = field(default_factory=list)


def split_pointer(pointer: str) -> tuple[str, ...]:
    """Split a JSON pointer into its keys (RFC 6901)."""
    parts = pointer.split("/")[1:]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def find_wrapped_server(entry: DocumentNode) -> str:
    """Return the `--server` of an entry that starts the gateway; empty for others."""
    words = read_command_words(entry)
    for at, word in enumerate(words[:-1]):
        if word == "gateway" and words[at + 1] == "stdio" and "--server" in words:
            return words[min(words.index("--server") + 1, len(words) - 1)]
    return ""


def rewrite_server(
    entry: DocumentNode, parsed: McpServerEntry, context: RewriteContext
) -> ServerRewrite:
    """Rewrite an entry.

    Raises:
        NotMovable: It has a shape or credential that the gateway cannot take over.
    """
    command, url = entry.get(*COMMAND_KEYS), entry.get(*URL_KEYS)
    if command is not None and url is None:
        return _rewrite_command(entry, parsed, context)
    if url is not None and command is None:
        return _rewrite_url(entry, parsed, context)
    raise NotMovable("it is built into the client, or has neither command nor URL")


def read_command_words(entry: DocumentNode) -> list[str]:
    """Return the words of the command of an entry; empty for none."""
    return [node.text() for node in iter_command_nodes(entry)]


def _rewrite_command(
    entry: DocumentNode, parsed: McpServerEntry, context: RewriteContext
) -> ServerRewrite:
    """Rewrite an entry that starts a command."""
    made = ServerRewrite(context.server)
    words = read_command_words(entry)
    command, args = entry.get(*COMMAND_KEYS), entry.get("args")
    if command is None or not words or not words[0] or command.is_object:
        raise NotMovable("the format of its command is not supported")
    if args is not None and not args.is_array:
        raise NotMovable("its arguments are not a list")
    if " " in words[0] and not command.is_array and words[0][0] not in "/~":
        raise NotMovable("its command is a shell command line")
    nodes = iter_command_nodes(entry)
    positions = {node.pointer: at for at, node in enumerate(nodes)}
    for found in _literal_secrets(entry, parsed):
        if found.pointer in positions:
            at = positions[found.pointer]
            words[at] = _move_word(words[at], found, f"argument-{at}", made, context)
        elif not _move_variable(entry, found, made, context):
            made.kept.append(found.name)
    wrapped = [*context.gateway, "--", *words]
    path = split_pointer(command.pointer)
    if command.is_array:
        made.edits.append(ReplaceMember(path, ((path[-1], list(wrapped)),)))
        if args is not None:
            raise NotMovable("the format of its command is not supported")
    else:
        pairs: tuple[tuple[str, RawValue], ...] = ((path[-1], wrapped[0]),)
        arguments: tuple[tuple[str, RawValue], ...] = (("args", list(wrapped[1:])),)
        if args is None:
            made.edits.append(ReplaceMember(path, pairs + arguments))
        else:
            made.edits.append(ReplaceMember(path, pairs))
            made.edits.append(ReplaceMember(split_pointer(args.pointer), arguments))
    made.declared["command"] = list(words)
    _declare_secrets(made, context)
    return made


def _literal_secrets(
    entry: DocumentNode, parsed: McpServerEntry
) -> list[FoundCredential]:
    """Return the literal secrets of an entry, the partners of an AWS key id too."""
    found = [
        each
        for each in parsed.found
        if each.cls is CredentialClass.LITERAL
        and each.pointer.startswith(f"{entry.pointer}/")
    ]
    pointers = {each.pointer for each in found}
    environment = entry.get(*ENVIRONMENT_KEYS)
    if environment is not None and any(e.name == "AWS_ACCESS_KEY_ID" for e in found):
        for name in _AWS_PAIR:
            node = environment.get(name)
            text = node.text() if node is not None else ""
            if node is None or node.pointer in pointers or not text:
                continue
            if not split_references(text).dynamic:
                cls, kind = CredentialClass.LITERAL, "aws-secret-key"
                found.append(FoundCredential(name, node.pointer, cls, kind, text))
    nodes = [*iter_command_nodes(entry)]
    if environment is not None:
        nodes += [node for _, node in environment.members()]
    pointers = {each.pointer for each in found}
    return found + [
        each for each in find_generated_values(nodes) if each.pointer not in pointers
    ]


def iter_command_nodes(entry: DocumentNode) -> Iterator[DocumentNode]:
    """Yield the words of the command of an entry, with their places."""
    command, args = entry.get(*COMMAND_KEYS), entry.get("args")
    if command is not None:
        yield from command.items() if command.is_array else (command,)
    if args is not None:
        yield from args.items()


def _move_word(
    word: str,
    found: FoundCredential,
    name: str,
    made: ServerRewrite,
    context: RewriteContext,
) -> str:
    """Return a word with its secret replaced by a reference."""
    if "${" in word or "{env:" in word:
        # Clients end a reference of their own at the first brace.
        made.kept.append(found.name or name)
        return word
    value = found.value if found.value and found.value in word else word
    reference = _add_secret(name, value, made, context)
    return word.replace(value, reference)


def _move_variable(
    entry: DocumentNode,
    found: FoundCredential,
    made: ServerRewrite,
    context: RewriteContext,
) -> bool:
    """Move the value of a variable of the environment; False for another position."""
    environment = entry.get(*ENVIRONMENT_KEYS)
    path = split_pointer(found.pointer)
    if (
        environment is None
        or not environment.is_object
        or path[:-1] != split_pointer(environment.pointer)
    ):
        return False
    if any(edit.path == path for edit in made.edits):
        return True
    node = environment.get(path[-1])
    text = node.text() if node is not None else ""
    if split_references(text).dynamic:
        return False
    reference = _add_secret(path[-1], text, made, context)
    made.edits.append(ReplaceMember(path, ((path[-1], reference),)))
    return True


def _add_secret(
    name: str, value: str, made: ServerRewrite, context: RewriteContext
) -> str:
    """Add a secret, and return the reference that replaces it."""
    for known, _, text in made.secrets:
        if text == value:
            return _format_reference(known, context)
    clean = "".join(c if c.isalnum() and c.isascii() else "_" for c in name) or "secret"
    names = {known for known, _, _ in made.secrets}
    if clean in names:
        clean = f"{clean}_{len(names)}"
    file = f"{context.secret_folder}/{context.server}.{clean}"
    made.secrets.append((clean, file, value))
    return _format_reference(clean, context)


def _format_reference(name: str, context: RewriteContext) -> str:
    """Return the reference to a secret of a server, unique in a configuration."""
    return f"{{answerable:{context.server}.{name}}}"


def _declare_secrets(made: ServerRewrite, context: RewriteContext) -> None:
    """Declare the secrets of a command.

    A variable that is the only one is the server's credential, which records name and
    answers are searched for. Others are put in where they are referenced.
    """
    variables = {edit.path[-1] for edit in made.edits}
    first = next((each for each in made.secrets if each[0] in variables), None)
    if (
        first is not None
        and first[2].isascii()
        and first[2].isprintable()
        and " " not in first[2]
        and len(first[2]) in _CREDENTIAL_LENGTHS
        and sum(text == first[2] for _, _, text in made.secrets) == 1
        and not _is_referenced_in_words(made, _format_reference(first[0], context))
    ):
        made.declared["credential"] = {**_name_source(first[1]), "as_env": first[0]}
    else:
        first = None
    files: dict[str, RawValue] = {
        f"{context.server}.{name}": file
        for name, file, _ in made.secrets
        if (name, file) != (first or ())[:2]
    }
    if files:
        made.declared["secrets"] = files


def _name_source(place: str) -> dict[str, RawValue]:
    """Return the source of a credential: a file, or an entry of the keyring."""
    if place.startswith(PREFIX):
        return {"keyring": place.removeprefix(PREFIX)}
    return {"file": place}


def _is_referenced_in_words(made: ServerRewrite, reference: str) -> bool:
    """Return whether a word of the command has a reference."""
    words = made.declared["command"]
    return isinstance(words, list) and any(reference in str(word) for word in words)


def _rewrite_url(
    entry: DocumentNode, parsed: McpServerEntry, context: RewriteContext
) -> ServerRewrite:
    """Rewrite an entry with a URL, which the wrapper reaches instead."""
    made = ServerRewrite(context.server)
    url, headers = entry.get(*URL_KEYS), entry.get(*HEADER_KEYS)
    text = url.text() if url is not None else ""
    if url is None or entry.get("args") is not None:
        raise NotMovable("the format of its entry is not supported")
    _check_url(text, parsed)
    fields = list(headers.members()) if headers is not None else []
    by_variable = entry.text_at("bearer_token_env_var")
    if len(fields) + bool(by_variable) > 1:
        raise NotMovable("it requires several header fields; the gateway sends one")
    if entry.get("env_http_headers", "headersHelper", "oauth", "auth") is not None:
        raise NotMovable("the client itself signs in to the server")
    if not fields and not by_variable and urlsplit(text).hostname not in _LOOPBACK:
        raise NotMovable("it has no key here: the client may sign in to it with OAuth")
    made.declared["url"] = text
    if by_variable:
        _declare_variable(by_variable, "Authorization", "Bearer", made, context)
    for name, node in fields:
        _declare_header(name, node.text(), made, context)
    _write_command_entry(entry, url, headers, made, context)
    return made


def _check_url(url: str, parsed: McpServerEntry) -> None:
    """Refuse a URL that the gateway does not reach."""
    if parsed.transport == "sse":
        raise NotMovable(
            "it uses the SSE transport, which the gateway does not support"
        )
    parts = urlsplit(url)
    if split_references(url).dynamic or parts.scheme not in ("http", "https"):
        raise NotMovable("the client builds its URL from variables")
    if parts.query or parts.username or parts.fragment:
        raise NotMovable("its URL has a query or a user, which the gateway refuses")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise NotMovable("its URL is not encrypted")


def _declare_header(
    name: str, text: str, made: ServerRewrite, context: RewriteContext
) -> None:
    """Declare the header field of a server as its credential."""
    scheme, blank, rest = text.strip().partition(" ")
    if not blank or scheme.lower() not in SCHEMES:
        scheme, rest = "", text.strip()
    pieces = split_references(rest)
    if pieces.dynamic:
        if len(pieces.references) != 1 or pieces.rest.strip():
            raise NotMovable(f"the client builds its field {name} from several values")
        reference = pieces.references[0]
        if reference.cls is not CredentialClass.ENV_REF or reference.default:
            raise NotMovable(f"the client stores the value of its field {name}")
        _declare_variable(reference.name, name, scheme, made, context)
        return
    if not (rest.isascii() and rest.isprintable() and " " not in rest):
        raise NotMovable(f"its field {name} has characters that no credential has")
    if len(rest) not in _CREDENTIAL_LENGTHS:
        raise NotMovable(f"its field {name} is shorter or longer than a credential")
    _add_secret(name, rest, made, context)
    made.declared["credential"] = {
        **_name_source(made.secrets[0][1]),
        "header": name,
        "scheme": scheme or None,
    }


def _declare_variable(
    variable: str, name: str, scheme: str, made: ServerRewrite, context: RewriteContext
) -> None:
    """Declare a variable of the client's environment as the credential."""
    if context.client in _CLEARS_ENVIRONMENT:
        raise NotMovable("the client does not pass its variables to commands")
    made.declared["credential"] = {
        "env": variable,
        "header": name,
        "scheme": scheme or None,
    }


def _write_command_entry(
    entry: DocumentNode,
    url: DocumentNode,
    headers: DocumentNode | None,
    made: ServerRewrite,
    context: RewriteContext,
) -> None:
    """Turn a URL entry into one that starts the wrapper."""
    words: list[RawValue] = list(context.gateway)
    key = "cmd" if context.client == "goose" else "command"
    is_array = context.client == "opencode"
    first: tuple[tuple[str, RawValue], ...] = ((key, words if is_array else words[0]),)
    second: tuple[tuple[str, RawValue], ...] = (
        () if is_array else (("args", words[1:]),)
    )
    replaced = headers or entry.get("bearer_token_env_var")
    if replaced is None:
        first += second
    elif is_array:
        second = (("environment", {}),)
    path = split_pointer(url.pointer)
    made.edits.append(ReplaceMember(path, first))
    if replaced is not None:
        made.edits.append(ReplaceMember(split_pointer(replaced.pointer), second))
    stated = entry.get("type", "transport")
    if stated is not None:
        path = split_pointer(stated.pointer)
        word = "local" if context.client == "opencode" else "stdio"
        made.edits.append(ReplaceMember(path, ((path[-1], word),)))
