"""Define types for a client's built-in tools: tools, rules, limits and modes."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.connectors.formats.agent_clients import KeyPath


class ToolRuleEffect(StrEnum):
    """Effect of a pattern list on the named tools."""

    DENY = "deny"  # refuses them
    ONLY = "only"  # refuses all others
    ALLOW = "allow"  # runs them without approval


@dataclass(frozen=True, slots=True)
class ToolRuleList:
    """List or map of patterns such as `Bash` or `Bash(aws:*)`.

    Attributes:
        keys: Path of the setting.
        tool: Tool whose commands it lists; empty if each pattern names its own tool.
    """

    keys: KeyPath
    effect: ToolRuleEffect
    tool: str = ""


@dataclass(frozen=True, slots=True)
class ShellLimitSetting:
    """Setting that restricts a client's shell.

    Attributes:
        keys: Path of the setting.
        values: Restricting values, in lower case; empty text for an absent setting.
        text: Short description.
        exceptions: Pairs (keys, value) that cancel it.
    """

    keys: KeyPath
    values: frozenset[str]
    text: str
    exceptions: tuple[tuple[KeyPath, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UnattendedMode:
    """Mode in which a client uses some tools without approval.

    Attributes:
        keys: Path of the setting.
        values: Its values, in lower case.
        tools: Affected tools.
    """

    keys: KeyPath
    values: frozenset[str]
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientTools:
    """Built-in tools of one client.

    Attributes:
        client: Agent kind.
        page: Documentation page.
        commands: Tools that run commands.
        files: Tools that read and write files.
        fetch: Tools that fetch pages.
        environment: Maps of variables for its shell.
        aliases: Other names of a tool in patterns.
        modes: Modes that let single tools act without approval.
        states: A map of states in which every tool not denied or asked for acts without
            approval; the last matching line counts.
    """

    client: str
    page: str
    commands: tuple[str, ...]
    files: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
    rules: tuple[ToolRuleList, ...] = ()
    limits: tuple[ShellLimitSetting, ...] = ()
    environment: tuple[KeyPath, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    modes: tuple[UnattendedMode, ...] = ()
    states: KeyPath = ()

    def list_tools(self) -> tuple[tuple[str, str], ...]:
        """List pairs (name, transport) of all tools."""
        return (
            *((name, "shell") for name in self.commands),
            *((name, "file") for name in self.files),
            *((name, "fetch") for name in self.fetch),
        )
