"""Parse configured tool effects, allowlists (payees, hosts) and agents' baselines.

The operator declares facts that no server reports: sensitive arguments, result fields
that no outsider can write, and reference tables of owners.
"""

from collections.abc import Collection, Iterator

from answerable.authorization.name_patterns import matches
from answerable.connectors.config.parse.addresses import check_name
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.model.behaviour import EntityKind, ReferenceTable, ToolFacts
from answerable.model.learning_config import LearningConfig
from answerable.model.provenance import WrittenBy

_HOUR, _DAY = 3600, 86_400


def read_tool_facts(
    server: ConfigSection, read_patterns: Collection[str]
) -> Iterator[tuple[str, ToolFacts]]:
    """Read the facts about each tool of a server: writes, sensitive arguments, kinds.

    Args:
        server: Server section.
        read_patterns: Patterns of its read-only tools.
    """
    for name, section in server.read_named_sections("tools"):
        kinds = section.read_text_mapping("kinds")
        words = list(EntityKind)
        if any(kind not in words for _, kind in kinds):
            section.report_fault("kinds", f"expected one of {', '.join(words)}")
        facts = ToolFacts(
            is_write=not any(matches(pattern, name) for pattern in read_patterns),
            sensitive=section.read_texts("sensitive"),
            trusted=section.read_texts("trusted"),
            summed=section.read_texts("sum"),
            kinds=tuple((at, EntityKind(word)) for at, word in kinds if word in words),
        )
        section.report_unknown_keys()
        yield name, facts


def read_reference_tables(
    file: ConfigSection, servers: Collection[str]
) -> Iterator[ReferenceTable]:
    """Read the allowlists that owners keep: payees, recipients, hosts."""
    for name, section in file.read_named_sections("tables"):
        check_name(section, name)
        sinks = frozenset(_read_checked_arguments(section, servers))
        section.require("sinks")
        values = frozenset(section.read_texts("values"))
        section.report_unknown_keys()
        yield ReferenceTable(name, values, sinks, WrittenBy.PERSON)


def _read_checked_arguments(
    table: ConfigSection, servers: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield each tool argument that must be in an allowlist, with its tool."""
    for section in table.read_section_list("sinks"):
        server, tool = (
            section.read_text("server", None),
            section.read_text("tool", None),
        )
        if server and server not in servers:
            section.report_fault("server", "not defined under servers")
        argument = section.read_text("argument", None)
        section.report_unknown_keys()
        yield f"{server}/{tool}", argument


def read_baseline_settings(agent: ConfigSection) -> LearningConfig | None:
    """Read the baseline settings of an agent; None if absent."""
    if not agent.has_key("baseline"):
        return None
    section = agent.read_section("baseline")
    usual = LearningConfig()
    learning = LearningConfig(
        values=not section.has_key("values") or section.read_flag("values"),
        span=section.read_seconds("span", usual.span, 60, _DAY),
        cold=section.read_enum("cold", usual.cold),
    )
    section.report_unknown_keys()
    return learning
