"""Parser of an MCP server entry in any client's format.

The clients differ in names, not in structure: `command`, `cmd` or a `command` array;
`env`, `envs` or `environment`; `url`, `serverUrl` or `httpUrl`; and so on. One parser
knows all names, so a new client needs a table row and no code.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from answerable.connectors.formats.command_line import ARGUMENTS_LIMIT, Argv, read_argv
from answerable.connectors.formats.credential_detection import (
    Found,
    Position,
    environment_field,
    in_environment,
    in_header,
    in_url,
    in_variable,
)
from answerable.connectors.formats.docker_run import ContainerRun, read_container_run
from answerable.connectors.formats.document_node import Node
from answerable.connectors.formats.redaction import show_target, show_url
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
class McpServer:
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
        cut: True if its command line, environment or files were truncated.
        container: Options of its `docker run`, None without a container.
        withheld: Pointers of variables not passed to its container.
    """

    name: str
    pointer: str
    transport: str
    target: str
    enabled: bool
    unattended: bool
    found: tuple[Found, ...]
    env_files: tuple[Position, ...]
    selections: tuple[Position, ...]
    empty: bool
    cut: bool
    container: ContainerRun | None = None
    withheld: frozenset[str] = frozenset()


def read_server(name: str, entry: Node) -> McpServer:
    """Parse an entry; unknown fields are scanned for credentials by name and form."""
    inner = entry.get("transport", "command")
    node = inner if inner is not None and inner.is_object else entry
    stated = _environment(entry) or _environment(node)
    environment = stated[:VARIABLES_LIMIT]
    words = _words(entry, node)
    argv = read_argv(words, {position.name for position in environment})
    container = read_container_run([w.value for w in words[:ARGUMENTS_LIMIT]])
    passed = container.passed if container is not None else frozenset[str]()
    withheld = {p.pointer for p in environment if container and p.name not in passed}
    url = node.get(*_URL) or entry.get(*_URL)
    found = [*in_environment(environment), *argv.found]
    if url is not None:
        found += in_url(Position("url", url.pointer, url.text()))
    found += _headers(entry)
    found += _fields(entry)
    found += _sweep(entry)
    env_files = (*argv.env_files, *_env_file(entry))
    return McpServer(
        name=name,
        pointer=entry.pointer,
        transport=CONTAINER
        if container is not None
        else _transport(node, is_remote=url is not None and not argv.shown),
        target=_target(argv, url, entry),
        enabled=not entry.flag("disabled") and entry.text_at("enabled") != "false",
        unattended=_unattended(entry),
        found=tuple(found),
        env_files=env_files[:ENV_FILES_LIMIT],
        selections=tuple(argv.selections),
        empty=not argv.shown and url is None and entry.get(*_OTHER_MARKS) is None,
        cut=argv.cut
        or len(stated) > VARIABLES_LIMIT
        or len(env_files) > ENV_FILES_LIMIT,
        container=container,
        withheld=frozenset(withheld),
    )


def _environment(node: Node) -> tuple[Position, ...]:
    variables = node.get(*_ENV)
    if variables is None:
        return ()
    if variables.is_object:
        members = islice(variables.members(), VARIABLES_LIMIT + 1)
        return tuple(
            Position(name, item.pointer, item.text()) for name, item in members
        )
    items = islice(variables.items(), VARIABLES_LIMIT + 1)  # ["NAME=value"]
    pairs = ((item.pointer, *item.text().partition("=")) for item in items)
    return tuple(Position(name, pointer, text) for pointer, name, _, text in pairs)


def _words(entry: Node, node: Node) -> list[Position]:
    command = node.get("path", *_COMMAND) if node is not entry else entry.get(*_COMMAND)
    words: list[Position] = []
    if command is not None and command.is_array:
        words = [Position("", item.pointer, item.text()) for item in command.items()]
    elif command is not None and command.text():
        words = [Position("", command.pointer, command.text())]
    arguments = node.get("args") or entry.get("args")
    if words and arguments is not None:
        words += [Position("", item.pointer, item.text()) for item in arguments.items()]
        if arguments.text():
            words.append(Position("", arguments.pointer, arguments.text()))
    return words


def _headers(entry: Node) -> Iterator[Found]:
    nodes = [entry.get(*_HEADERS), entry.at("requestOptions", "headers")]
    for headers in nodes:
        if headers is None:
            continue
        for name, value in headers.members():
            yield from in_header(Position(name, value.pointer, value.text()))
        for item in headers.items():
            name, _, text = item.text().partition(":")
            yield from in_header(Position(name.strip(), item.pointer, text.strip()))
    by_variable = entry.get("env_http_headers")
    if by_variable is not None:
        for _, value in by_variable.members():
            yield from environment_field(value.text(), value.pointer)


def _fields(entry: Node) -> Iterator[Found]:
    variable = entry.get("bearer_token_env_var")
    if variable is not None:
        for found in environment_field(variable.text(), variable.pointer):
            yield replace(found, kind="bearer-token")
    names = entry.get("env_keys")  # goose: the values lie in the system keyring
    if names is not None:
        for item in names.items():
            for found in environment_field(item.text(), item.pointer):
                yield replace(found, cls=CredentialClass.KEYCHAIN)
    helper = entry.get("headersHelper")
    if helper is not None and (helper.text() or helper.is_object):
        yield Found(
            "headersHelper",
            helper.pointer,
            CredentialClass.KEYCHAIN,
            "bearer-token",
            "",
        )
        yield from read_argv([Position("", helper.pointer, helper.text())]).found
    yield from _oauth(entry)


def _oauth(entry: Node) -> Iterator[Found]:
    block = entry.get("oauth", "auth", "authorization")
    if block is None:
        return
    if block.is_object or block.text().lower() in ("oauth", "true"):
        yield Found("oauth", block.pointer, CredentialClass.OAUTH, "oauth-token", "")
    for name, value in block.members():
        if value.text():
            position = Position(name, value.pointer, value.text())
            yield from in_variable(position)


def _sweep(entry: Node) -> Iterator[Found]:
    """Scan unknown fields and their members."""
    for name, node in entry.members():
        if name in _KNOWN:
            continue
        if node.text():
            yield from in_variable(Position(name, node.pointer, node.text()))
        for inner, value in node.members():
            if value.text():
                yield from in_variable(Position(inner, value.pointer, value.text()))


def _env_file(entry: Node) -> Iterator[Position]:
    node = entry.get("envFile", "env_file")
    if node is not None and node.text():
        yield Position("envFile", node.pointer, node.text())


def _target(argv: Argv, url: Node | None, entry: Node) -> str:
    if argv.shown:
        return show_target(argv.shown)
    if url is not None:
        return show_url(url.text())
    return "builtin" if entry.text_at("type") in ("builtin", "platform") else ""


def _transport(node: Node, *, is_remote: bool) -> str:
    stated = node.text_at("type", "transport").lower().replace("_", "-")
    if stated == "sse":
        return "sse"
    if node.get("ref") is not None and not stated and not is_remote:
        return CONTAINER
    if is_remote or stated in ("http", "streamable-http", "streamablehttp", "remote"):
        return "http"
    return "stdio"


def _unattended(entry: Node) -> bool:
    if entry.flag("trust"):
        return True
    for name in ("autoApprove", "alwaysAllow"):
        if entry.text_at(name) != "false" and any(entry.texts(name)):
            return True
    return False
