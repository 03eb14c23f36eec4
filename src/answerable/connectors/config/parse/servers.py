"""Section `servers`: upstream MCP servers."""

from collections.abc import Iterator

from answerable.authorization.name_patterns import ALL, is_plain
from answerable.connectors.config.parse.addresses import (
    is_name,
    is_open,
    is_url,
    read_path,
)
from answerable.connectors.config.parse.behaviour import read_tools
from answerable.connectors.config.parse.config_section import Section
from answerable.connectors.config.parse.upstream_credential import read_credential
from answerable.model.config import Server
from answerable.model.pin import Pinning

HOOKS = ("claude-code", "cursor")
_PATTERN = "a name, `*`, or a plain prefix that ends in `*` was expected"


def is_pattern(text: str) -> bool:
    """Tell whether a text is a valid pattern of an allow rule."""
    prefix = text.removesuffix(ALL)
    return ALL not in prefix and (prefix == text or is_plain(prefix))


def read_patterns(section: Section, key: str) -> tuple[str, ...]:
    """Read a list of patterns."""
    patterns = section.texts(key)
    section.check(key, is_pattern, _PATTERN)
    return patterns


def read_servers(file: Section, folder: str) -> Iterator[Server]:
    """Read the upstream servers."""
    for name, section in file.named("servers"):
        if not is_name(name):
            section.fault("", "a name of letters, digits, `.`, `_`, `-` was expected")
        yield _server(name, section, folder)


def _hook(section: Section) -> str:
    """Read the client whose built-in tools a server represents; empty for none."""
    hook = section.text("hook")
    section.check("hook", HOOKS.__contains__, f"one of {', '.join(HOOKS)} was expected")
    return hook


def _server(name: str, section: Section, folder: str) -> Server:
    url = section.text("url")
    command = section.texts("command")
    insecure = section.flag("insecure")
    hook = _hook(section)
    if [bool(url), bool(command), bool(hook)].count(True) != 1:
        section.fault("", "one of url, command and hook was expected")
    if url and not is_url(url, "http", "https"):
        section.fault("url", "an http or https URL without query was expected")
    elif url and is_open(url) and not insecure:
        section.fault("url", "http outside loopback needs insecure: true")
    env, inherit_env = section.pairs("env"), section.texts("inherit_env")
    given = (*(variable for variable, _ in env), *inherit_env)
    server = Server(
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
        audience=section.text("audience"),
        credential=read_credential(section, folder, url, given),
        pin=section.word("pin", Pinning.FIRST_USE),
        tools=tuple(read_tools(section, section.texts("reads"))),
        hook=hook,
    )
    if server.audience and not url:
        section.fault("audience", "only a URL is shown a token")
    for key in ("env", "inherit_env"):
        if section.has(key) and not command:
            section.fault(key, "only a command has an environment")
    for key in ("ca", "certificate", "key"):
        if section.has(key) and not url.startswith("https:"):
            section.fault(key, "only an https URL has one")
    if bool(server.certificate) != bool(server.key):
        section.fault("", "certificate and key go together")
    section.close()
    return server
