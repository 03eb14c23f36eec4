"""Parse an MCP server entry of any client: command, URL, credentials, transport.

The clients differ in names, not in structure: `command`, `cmd` or a `command` array;
`env`, `envs` or `environment`; `url`, `serverUrl` or `httpUrl`; and so on. One parser
knows all names, so a new client needs a table row and no code.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from answerable.connectors.formats.command_line import (
    ARGUMENTS_LIMIT,
    ParsedCommandLine,
    parse_command_line,
)
from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
    find_in_environment,
    find_in_header,
    find_in_url,
    find_in_variable,
    find_named_variable,
)
from answerable.connectors.formats.docker_run import ContainerRun, parse_container_run
from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.redaction import format_command_line, redact_url
from answerable.model.credential import CredentialClass
from answerable.model.tool import CONTAINER

VARIABLES_LIMIT = 2_000
ENV_FILES_LIMIT = 20
_COMMAND = ("command", "cmd")
_ENV = ("env", "envs", "environment")
_URL = ("url", "serverUrl", "httpUrl", "uri", "endpoint", "server_url")
_HEADERS = ("headers", "http_headers", "httpHeaders")
_OTHER_MARKS = (
    "ref",
    "type",
    "transport",
    "disabled",
    "enabled",
    "uses",
    "bundled",
    "tcp",
)
# Fields that are read above or cannot hold a credential.
_KNOWN = frozenset(
    (
        *_COMMAND,
        *_ENV,
        *_URL,
        *_HEADERS,
        *_OTHER_MARKS,
        *str.split(
            "args name description cwd tools autoApprove alwaysAllow trust timeout oauth "
            "auth envFile env_keys headersHelper bearer_token_env_var env_http_headers "
            "requestOptions displayName display_name workingDirectory gallery version "
            "includeTools excludeTools disabledTools available_tools"
        ),
    )
)


@dataclass(frozen=True, slots=True)
class McpServerEntry:
    """Parsed server entry.

    Attributes:
        name: Server name as written there.
        pointer: JSON pointer of the entry.
        transport: `stdio`, `http` or `sse`; `container` if it runs in one.
        target: Redacted command line or URL, empty for neither.
        enabled: False if the entry disables it.
        unattended: True if its tools run without approval.
        found: Credentials in the entry, in file order.
        env_files: Environment files that the entry names.
        selections: Logins selected on its command line (`--profile NAME`).
        empty: True if the entry has nothing that a client could start.
        is_truncated: True if its command line, environment or files were truncated.
        container: Options of its `docker run`, None without a container.
        withheld: Pointers of variables not passed to its container.
    """

    name: str
    pointer: str
    transport: str
    target: str
    enabled: bool
    unattended: bool
    found: tuple[FoundCredential, ...]
    env_files: tuple[NamedText, ...]
    selections: tuple[NamedText, ...]
    empty: bool
    is_truncated: bool
    container: ContainerRun | None = None
    withheld: frozenset[str] = frozenset()


def parse_server_entry(name: str, entry: DocumentNode) -> McpServerEntry:
    """Parse an entry; unknown fields are scanned for credentials by name and form."""
    inner = entry.get("transport", "command")
    node = inner if inner is not None and inner.is_object else entry
    stated = _read_environment(entry) or _read_environment(node)
    environment = stated[:VARIABLES_LIMIT]
    words = _read_command_words(entry, node)
    argv = parse_command_line(words, {position.name for position in environment})
    container = parse_container_run([w.value for w in words[:ARGUMENTS_LIMIT]])
    passed = container.passed if container is not None else frozenset[str]()
    withheld = {p.pointer for p in environment if container and p.name not in passed}
    url = node.get(*_URL) or entry.get(*_URL)
    found = [*find_in_environment(environment), *argv.found]
    if url is not None:
        found += find_in_url(NamedText("url", url.pointer, url.text()))
    found += _find_in_headers(entry)
    found += _find_in_fields(entry)
    found += _find_in_unknown_fields(entry)
    env_files = (*argv.env_files, *_read_env_file_name(entry))
    return McpServerEntry(
        name=name,
        pointer=entry.pointer,
        transport=CONTAINER
        if container is not None
        else _read_transport(
            node, is_remote=url is not None and not argv.redacted_words
        ),
        target=_printable_target(argv, url, entry),
        enabled=not entry.flag("disabled") and entry.text_at("enabled") != "false",
        unattended=_is_auto_approved(entry),
        found=tuple(found),
        env_files=env_files[:ENV_FILES_LIMIT],
        selections=tuple(argv.selections),
        empty=not argv.redacted_words
        and url is None
        and entry.get(*_OTHER_MARKS) is None,
        is_truncated=argv.is_truncated
        or len(stated) > VARIABLES_LIMIT
        or len(env_files) > ENV_FILES_LIMIT,
        container=container,
        withheld=frozenset(withheld),
    )


def _read_environment(node: DocumentNode) -> tuple[NamedText, ...]:
    """Read the variables of an entry: a map, or a list of `NAME=value`."""
    variables = node.get(*_ENV)
    if variables is None:
        return ()
    if variables.is_object:
        members = islice(variables.members(), VARIABLES_LIMIT + 1)
        return tuple(
            NamedText(name, item.pointer, item.text()) for name, item in members
        )
    items = islice(variables.items(), VARIABLES_LIMIT + 1)  # ["NAME=value"]
    pairs = ((item.pointer, *item.text().partition("=")) for item in items)
    return tuple(NamedText(name, pointer, text) for pointer, name, _, text in pairs)


def _read_command_words(entry: DocumentNode, node: DocumentNode) -> list[NamedText]:
    """Return the words of the command and its arguments."""
    command = node.get("path", *_COMMAND) if node is not entry else entry.get(*_COMMAND)
    words: list[NamedText] = []
    if command is not None and command.is_array:
        words = [NamedText("", item.pointer, item.text()) for item in command.items()]
    elif command is not None and command.text():
        words = [NamedText("", command.pointer, command.text())]
    arguments = node.get("args") or entry.get("args")
    if words and arguments is not None:
        words += [
            NamedText("", item.pointer, item.text()) for item in arguments.items()
        ]
        if arguments.text():
            words.append(NamedText("", arguments.pointer, arguments.text()))
    return words


def _find_in_headers(entry: DocumentNode) -> Iterator[FoundCredential]:
    """Yield the credentials in HTTP headers."""
    nodes = [entry.get(*_HEADERS), entry.descend("requestOptions", "headers")]
    for headers in nodes:
        if headers is None:
            continue
        for name, value in headers.members():
            yield from find_in_header(NamedText(name, value.pointer, value.text()))
        for item in headers.items():
            name, _, text = item.text().partition(":")
            yield from find_in_header(
                NamedText(name.strip(), item.pointer, text.strip())
            )
    by_variable = entry.get("env_http_headers")
    if by_variable is not None:
        for _, value in by_variable.members():
            yield from find_named_variable(value.text(), value.pointer)


def _find_in_fields(entry: DocumentNode) -> Iterator[FoundCredential]:
    """Yield the credentials in fields for tokens, variables and helpers."""
    variable = entry.get("bearer_token_env_var")
    if variable is not None:
        for found in find_named_variable(variable.text(), variable.pointer):
            yield replace(found, kind="bearer-token")
    names = entry.get("env_keys")  # goose: the values lie in the system keyring
    if names is not None:
        for item in names.items():
            for found in find_named_variable(item.text(), item.pointer):
                yield replace(found, cls=CredentialClass.KEYCHAIN)
    helper = entry.get("headersHelper")
    if helper is not None and (helper.text() or helper.is_object):
        yield FoundCredential(
            "headersHelper",
            helper.pointer,
            CredentialClass.KEYCHAIN,
            "bearer-token",
            "",
        )
        yield from parse_command_line(
            [NamedText("", helper.pointer, helper.text())]
        ).found
    yield from _find_in_oauth(entry)


def _find_in_oauth(entry: DocumentNode) -> Iterator[FoundCredential]:
    """Yield the credentials of an OAuth block."""
    block = entry.get("oauth", "auth", "authorization")
    if block is None:
        return
    if block.is_object or block.text().lower() in ("oauth", "true"):
        yield FoundCredential(
            "oauth", block.pointer, CredentialClass.OAUTH, "oauth-token", ""
        )
    for name, value in block.members():
        if value.text():
            position = NamedText(name, value.pointer, value.text())
            yield from find_in_variable(position)


def _find_in_unknown_fields(entry: DocumentNode) -> Iterator[FoundCredential]:
    """Scan fields of an MCP server entry that are not known, for credentials."""
    for name, node in entry.members():
        if name in _KNOWN:
            continue
        if node.text():
            yield from find_in_variable(NamedText(name, node.pointer, node.text()))
        for inner, value in node.members():
            if value.text():
                yield from find_in_variable(
                    NamedText(inner, value.pointer, value.text())
                )


def _read_env_file_name(entry: DocumentNode) -> Iterator[NamedText]:
    """Yield the name of the environment file, if stated."""
    node = entry.get("envFile", "env_file")
    if node is not None and node.text():
        yield NamedText("envFile", node.pointer, node.text())


def _printable_target(
    argv: ParsedCommandLine, url: DocumentNode | None, entry: DocumentNode
) -> str:
    """Return the redacted command line or URL."""
    if argv.redacted_words:
        return format_command_line(argv.redacted_words)
    if url is not None:
        return redact_url(url.text())
    return "builtin" if entry.text_at("type") in ("builtin", "platform") else ""


def _read_transport(node: DocumentNode, *, is_remote: bool) -> str:
    """Return the transport: stdio, http, sse or container."""
    stated = node.text_at("type", "transport").lower().replace("_", "-")
    if stated == "sse":
        return "sse"
    if node.get("ref") is not None and not stated and not is_remote:
        return CONTAINER
    if is_remote or stated in ("http", "streamable-http", "streamablehttp", "remote"):
        return "http"
    return "stdio"


def _is_auto_approved(entry: DocumentNode) -> bool:
    """Return whether the entry lets tools run without approval."""
    if entry.flag("trust"):
        return True
    for name in ("autoApprove", "alwaysAllow"):
        if entry.text_at(name) != "false" and any(entry.texts(name)):
            return True
    return False
