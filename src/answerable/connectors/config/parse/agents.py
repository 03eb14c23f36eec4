"""Parse the section `agents`: declared agents, their callers and allow rules."""

from collections.abc import Collection, Iterator, Mapping

from answerable.connectors.config.parse.addresses import check_name
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.connectors.config.parse.servers import read_patterns
from answerable.connectors.config.parse.tool_behaviour import read_baseline_settings
from answerable.model.config import (
    AllowRule,
    CallerRule,
    ClientFeature,
    DeclaredAgent,
    StdioCallerRule,
    TokenCallerRule,
    UnixCallerRule,
)
from answerable.model.decision import EnforcementMode
from answerable.model.ids import build_agent_id

DECLARED_KIND = "declared"
MAX_ID = 2**32 - 2  # the highest uid or gid


def read_agents(
    file: ConfigSection, servers: Collection[str], issuers: Collection[str]
) -> Iterator[DeclaredAgent]:
    """Read the `agents` section: who each agent is and what it may call.

    Args:
        file: Root section.
        servers: Names of configured servers.
        issuers: Names of configured issuers.
    """
    taken: set[CallerRule] = set()
    for name, section in file.read_named_sections("agents"):
        if not check_name(section, name):
            continue
        agent = DeclaredAgent(
            id=build_agent_id(DECLARED_KIND, name),
            name=name,
            owner=section.read_text("owner"),
            mode=section.read_enum("mode", EnforcementMode.ENFORCE),
            callers=tuple(_read_callers(section, servers, issuers)),
            allow=tuple(_read_allow_rules(section, servers)),
            baseline=read_baseline_settings(section),
        )
        if not taken.isdisjoint(agent.callers):
            section.report_fault(
                "callers", "one of these callers already belongs to another agent"
            )
        taken.update(agent.callers)
        section.report_unknown_keys()
        yield agent


def read_ended_enforcement(
    file: ConfigSection, modes: Mapping[str, EnforcementMode]
) -> tuple[str, ...]:
    """Read the agents, and `default_mode`, that are confirmed to be enforced no longer.

    Args:
        file: Root section.
        modes: Mode by name: the agents of the file, and `default_mode`.
    """
    file.check_texts(
        "ends_enforcement",
        lambda name: modes.get(name) is not EnforcementMode.ENFORCE,
        "expected an agent, or default_mode, whose mode is not enforce",
    )
    return file.read_texts("ends_enforcement")


def _read_callers(
    agent: ConfigSection, servers: Collection[str], issuers: Collection[str]
) -> Iterator[CallerRule]:
    """Yield the caller rules of an agent: by token, unix socket or stdio."""
    for section in agent.read_section_list("callers"):
        kinds = [key for key in ("issuer", "unix", "stdio") if section.has_key(key)]
        issuer, sub = section.read_text("issuer"), section.read_text("sub")
        stdio, unix = section.read_text("stdio"), section.read_section("unix")
        if len(kinds) != 1:
            section.report_fault("", "expected one of issuer and sub, unix, or stdio")
        elif issuer:
            if issuer not in issuers:
                section.report_fault("issuer", "not defined under issuers")
            if not sub:
                section.report_fault("", "sub is missing")
            yield TokenCallerRule(issuer, sub)
        elif stdio:
            if stdio not in servers:
                section.report_fault("stdio", "not defined under servers")
            yield StdioCallerRule(stdio)
        elif kinds == ["unix"]:
            yield read_unix_caller(unix)
        section.report_unknown_keys()


def read_unix_caller(section: ConfigSection) -> UnixCallerRule:
    """Read a caller rule for a process at a unix socket."""
    section.require("uid")
    gid = section.read_number("gid", 0, 0, MAX_ID)
    caller = UnixCallerRule(
        uid=section.read_number("uid", 0, 0, MAX_ID),
        gid=gid if section.has_key("gid") else None,
        unit=section.read_text("unit"),
    )
    section.report_unknown_keys()
    return caller


def _read_allow_rules(
    agent: ConfigSection, servers: Collection[str]
) -> Iterator[AllowRule]:
    """Yield an agent's allow rules: which tools of which server it may call."""
    for section in agent.read_section_list("allow"):
        server = section.read_text("server", None)
        if server and server not in servers:
            section.report_fault("server", "not defined under servers")
        inputs = section.read_texts("inputs")
        words = list(ClientFeature)
        what = f"expected one of {', '.join(words)}"
        section.check_texts("inputs", words.__contains__, what)
        rule = AllowRule(
            id=section.path,
            server=server,
            tools=read_patterns(section, "tools"),
            resources=read_patterns(section, "resources"),
            prompts=read_patterns(section, "prompts"),
            inputs=tuple(ClientFeature(word) for word in inputs if word in words),
        )
        section.report_unknown_keys()
        yield rule
