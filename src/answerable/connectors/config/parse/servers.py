"""Parse the section `servers`: upstream MCP servers."""

from collections.abc import Iterator
from pathlib import PurePath

from answerable.authorization.name_patterns import ALL, is_unambiguous_name
from answerable.connectors.config.parse.addresses import (
    check_name,
    is_unencrypted_remote_url,
    is_url_without_query,
    read_path,
)
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.connectors.config.parse.tool_behaviour import read_tool_facts
from answerable.connectors.config.parse.upstream_credential import (
    read_upstream_credential,
)
from answerable.model.config import UpstreamServer
from answerable.model.definition_pin import PinningMode

HOOK_CLIENTS = ("claude-code", "cursor")
_PATTERN_HINT = "expected a name, `*`, or a plain prefix that ends in `*`"


def is_valid_pattern(text: str) -> bool:
    """Return whether a text is a valid pattern of an allow rule."""
    prefix = text.removesuffix(ALL)
    return ALL not in prefix and (prefix == text or is_unambiguous_name(prefix))


def read_patterns(section: ConfigSection, key: str) -> tuple[str, ...]:
    """Read a list of tool name patterns (`get_*`)."""
    patterns = section.read_texts(key)
    section.check_texts(key, is_valid_pattern, _PATTERN_HINT)
    return patterns


def read_servers(file: ConfigSection, folder: str) -> Iterator[UpstreamServer]:
    """Read the `servers` section: the upstream MCP servers."""
    for name, section in file.read_named_sections("servers"):
        check_name(section, name)
        yield _read_server(name, section, folder)


def _read_hook_client(section: ConfigSection) -> str:
    """Read the client whose built-in tools a server represents; empty for none."""
    hook = section.read_text("hook")
    section.check_texts(
        "hook",
        HOOK_CLIENTS.__contains__,
        f"expected one of {', '.join(HOOK_CLIENTS)}",
    )
    return hook


def _read_secret_files(
    section: ConfigSection, folder: str
) -> tuple[tuple[str, str], ...]:
    """Read the names and files, or keyring entries, of a wrapped command's secrets."""
    files = section.read_text_mapping("secrets")
    return tuple(
        (name, path if path.startswith("keyring:") else str(PurePath(folder) / path))
        for name, path in files
    )


def _read_server(name: str, section: ConfigSection, folder: str) -> UpstreamServer:
    """Read one server: reached by URL, command or client hook."""
    url = section.read_text("url")
    command = section.read_texts("command")
    insecure = section.read_flag("insecure")
    hook = _read_hook_client(section)
    if [bool(url), bool(command), bool(hook)].count(True) != 1:
        section.report_fault("", "expected exactly one of url, command and hook")
    if url and not is_url_without_query(url, "http", "https"):
        section.report_fault("url", "expected an http or https URL without query")
    elif url and is_unencrypted_remote_url(url) and not insecure:
        section.report_fault("url", "http outside loopback requires insecure: true")
    env, inherit_env = (
        section.read_text_mapping("env"),
        section.read_texts("inherit_env"),
    )
    given = (*(variable for variable, _ in env), *inherit_env)
    server = UpstreamServer(
        name=name,
        url=url,
        command=command,
        env=env,
        inherit_env=inherit_env,
        ca=read_path(section, "ca", folder),
        certificate=read_path(section, "certificate", folder),
        key=read_path(section, "key", folder),
        reads=read_patterns(section, "reads"),
        sensitive=read_patterns(section, "sensitive"),
        audience=section.read_text("audience"),
        credential=read_upstream_credential(section, folder, url, given),
        pin=section.read_enum("pin", PinningMode.FIRST_USE),
        tools=tuple(read_tool_facts(section, section.read_texts("reads"))),
        hook=hook,
        secrets=_read_secret_files(section, folder),
    )
    if server.audience and not url:
        section.report_fault("audience", "requires url: tokens are sent only over HTTP")
    for key in ("env", "inherit_env", "secrets"):
        if section.has_key(key) and not command:
            section.report_fault(key, "requires command")
    for key in ("ca", "certificate", "key"):
        if section.has_key(key) and not url.startswith("https:"):
            section.report_fault(key, "requires an https url")
    if bool(server.certificate) != bool(server.key):
        section.report_fault("", "certificate and key must be set together")
    section.report_unknown_keys()
    return server
