"""Behaviour settings: `tools` of a server, `tables`, `baseline` of an agent.

The operator declares facts that no server reports: sensitive arguments, result fields
that no outsider can write, and reference tables of owners.
"""

from collections.abc import Collection, Iterator

from answerable.authorization.name_patterns import fits
from answerable.connectors.config.parse.addresses import is_name
from answerable.connectors.config.parse.config_section import Section
from answerable.model.behaviour import EntityKind, Table, ToolFacts
from answerable.model.learning import Learning
from answerable.model.provenance import WrittenBy

_HOUR, _DAY = 3600, 86_400


def read_tools(
    server: Section, reads: Collection[str]
) -> Iterator[tuple[str, ToolFacts]]:
    """Read the facts about a server's tools, by tool.

    Args:
        server: Server section.
        reads: Patterns of its read-only tools.
    """
    for name, section in server.named("tools"):
        kinds = section.pairs("kinds")
        words = list(EntityKind)
        if any(kind not in words for _, kind in kinds):
            section.fault("kinds", f"one of {', '.join(words)} was expected")
        facts = ToolFacts(
            is_write=not any(fits(pattern, name) for pattern in reads),
            sensitive=section.texts("sensitive"),
            trusted=section.texts("trusted"),
            summed=section.texts("sum"),
            kinds=tuple((at, EntityKind(word)) for at, word in kinds if word in words),
        )
        section.close()
        yield name, facts


def read_tables(file: Section, servers: Collection[str]) -> Iterator[Table]:
    """Read the reference tables of owners: payees, recipients, hosts."""
    for name, section in file.named("tables"):
        if not is_name(name):
            section.fault("", "a name of letters, digits, `.`, `_`, `-` was expected")
        sinks = frozenset(_sinks(section, servers))
        if not section.has("sinks"):
            section.fault("", "sinks is missing")
        values = frozenset(section.texts("values"))
        section.close()
        yield Table(name, values, sinks, WrittenBy.PERSON)


def _sinks(table: Section, servers: Collection[str]) -> Iterator[tuple[str, str]]:
    for section in table.items("sinks"):
        server, tool = section.text("server", None), section.text("tool", None)
        if server and server not in servers:
            section.fault("server", "no such server in servers")
        argument = section.text("argument", None)
        section.close()
        yield f"{server}/{tool}", argument


def read_baseline(agent: Section) -> Learning | None:
    """Read the baseline settings of an agent; None if absent."""
    if not agent.has("baseline"):
        return None
    section = agent.section("baseline")
    usual = Learning()
    learning = Learning(
        values=not section.has("values") or section.flag("values"),
        span=section.seconds("span", usual.span, 60, _DAY),
        cold=section.word("cold", usual.cold),
    )
    section.close()
    return learning
