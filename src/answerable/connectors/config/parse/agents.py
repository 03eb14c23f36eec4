"""Section `agents`: declared agents, callers and allow rules."""

from collections.abc import Collection, Iterator

from answerable.connectors.config.parse.addresses import is_name
from answerable.connectors.config.parse.behaviour import read_baseline
from answerable.connectors.config.parse.config_section import Section
from answerable.connectors.config.parse.servers import read_patterns
from answerable.model.config import (
    Allow,
    CallerRule,
    DeclaredAgent,
    Input,
    IssuerCaller,
    StdioCaller,
    UnixCaller,
)
from answerable.model.decision import Mode
from answerable.model.ids import agent_id

DECLARED = "declared"
MAX_ID = 2**32 - 2  # the highest uid or gid


def read_agents(
    file: Section, servers: Collection[str], issuers: Collection[str]
) -> Iterator[DeclaredAgent]:
    """Read the section `agents`.

    Args:
        file: Root section.
        servers: Names of configured servers.
        issuers: Names of configured issuers.
    """
    taken: set[CallerRule] = set()
    for name, section in file.named("agents"):
        if not is_name(name):
            section.fault("", "a name of letters, digits, `.`, `_`, `-` was expected")
            continue
        agent = DeclaredAgent(
            id=agent_id(DECLARED, name),
            name=name,
            owner=section.text("owner"),
            mode=section.word("mode", Mode.ENFORCE),
            callers=tuple(_callers(section, servers, issuers)),
            allow=tuple(_rules(section, servers)),
            baseline=read_baseline(section),
        )
        if not taken.isdisjoint(agent.callers):
            section.fault("callers", "another agent has one of these callers")
        taken.update(agent.callers)
        section.close()
        yield agent


def _callers(
    agent: Section, servers: Collection[str], issuers: Collection[str]
) -> Iterator[CallerRule]:
    for section in agent.items("callers"):
        kinds = [key for key in ("issuer", "unix", "stdio") if section.has(key)]
        issuer, sub = section.text("issuer"), section.text("sub")
        stdio, unix = section.text("stdio"), section.section("unix")
        if len(kinds) != 1:
            section.fault("", "one of issuer and sub, unix, or stdio was expected")
        elif issuer:
            if issuer not in issuers:
                section.fault("issuer", "no such issuer in issuers")
            if not sub:
                section.fault("", "sub is missing")
            yield IssuerCaller(issuer, sub)
        elif stdio:
            if stdio not in servers:
                section.fault("stdio", "no such server in servers")
            yield StdioCaller(stdio)
        elif kinds == ["unix"]:
            yield read_unix(unix)
        section.close()


def read_unix(section: Section) -> UnixCaller:
    """Read a caller rule for a process at a unix socket."""
    if not section.has("uid"):
        section.fault("", "uid is missing")
    gid = section.number("gid", 0, 0, MAX_ID)
    caller = UnixCaller(
        uid=section.number("uid", 0, 0, MAX_ID),
        gid=gid if section.has("gid") else None,
        unit=section.text("unit"),
    )
    section.close()
    return caller


def _rules(agent: Section, servers: Collection[str]) -> Iterator[Allow]:
    for section in agent.items("allow"):
        server = section.text("server", None)
        if server and server not in servers:
            section.fault("server", "no such server in servers")
        inputs = section.texts("inputs")
        words = list(Input)
        what = f"one of {', '.join(words)} was expected"
        section.check("inputs", words.__contains__, what)
        rule = Allow(
            id=section.path,
            server=server,
            tools=read_patterns(section, "tools"),
            resources=read_patterns(section, "resources"),
            prompts=read_patterns(section, "prompts"),
            inputs=tuple(Input(word) for word in inputs if word in words),
        )
        section.close()
        yield rule
