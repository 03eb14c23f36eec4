"""Count the MCP clients that call through the gateway, for `doctor` and the web page."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.model.documents.protection import ProtectionStatusItem

_DIRECT = ("bypass", "refused")  # states of servers that a client reaches directly
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class ProtectedAgent:
    """Agent of a protected client.

    Attributes:
        name: Name in the configuration.
        runs: Learned runs; None where that is not known.
        would_deny: Recorded calls of the last 7 days that enforcing refuses; likewise.
        hook: Whether its hook recorded a call in the last 7 days; None without a hook.
        next: Next step; empty where it is enforced.
    """

    name: str
    mode: str
    runs: int | None
    would_deny: int | None
    hook: bool | None
    next: str

    def describe(self) -> str:
        """Describe the agent in one clause."""
        hook = {None: "no hook", True: "hook seen", False: "hook not seen"}[self.hook]
        denied = "refused" if self.mode == "enforce" else "would be refused"
        if self.runs is None or self.would_deny is None:
            return f"{self.name} {self.mode}, its recorded calls are not known"
        return (
            f"{self.name} {self.mode}, {self.runs} runs learned, "
            f"{self.would_deny} calls {denied}, {hook}"
        )


@dataclass(frozen=True, slots=True)
class ProtectionSummary:
    """Summary of the protection status.

    Attributes:
        mediated: Servers whose calls pass the gateway.
        direct: Servers that a client reaches directly, as `CLIENT SERVER`: bypasses, and
            entries that cannot be moved.
        keys: Servers whose key a log has without a call of the gateway.
        refused: Entries and hooks that cannot be moved.
        failed: Servers whose last recorded start through the gateway failed.
        unstarted: Servers without a recorded start or call through it.
        next: Next step of the first row that has one.
    """

    mediated: int
    direct: tuple[str, ...]
    keys: int
    refused: int
    failed: int
    unstarted: int
    agents: tuple[ProtectedAgent, ...]
    next: str

    def describe(self) -> str:
        """Describe it in one line."""
        parts = [
            f"{self.mediated} servers are behind the gateway, {len(self.direct)} are "
            f"reached directly" + self._name_direct()
        ]
        if self.unstarted:
            parts.append(f"no start of {self.unstarted} is recorded")
        if self.failed:
            parts.append(f"the last start of {self.failed} failed")
        if self.keys:
            parts.append(f"{self.keys} keys were used without it")
        return "; ".join((*parts, *(agent.describe() for agent in self.agents)))

    def _name_direct(self) -> str:
        """Name the first servers that are reached directly, in parentheses."""
        named = list(self.direct[:_MOST_NAMED])
        if len(self.direct) > len(named):
            named.append(f"{len(self.direct) - len(named)} more")
        return f" ({', '.join(named)})" if named else ""


def summarise_protection(items: Sequence[ProtectionStatusItem]) -> ProtectionSummary:
    """Summarise the rows of `protect status`."""
    bypass = [each for each in items if each["state"] == "bypass"]
    keys = [each for each in bypass if each["gateway_server"] is not None]
    states = [each["state"] for each in items]
    through = {
        (each["client"], each["server"])
        for each in items
        if each["state"] == "mediated" or each in keys
    }
    names = dict.fromkeys(each["agent"] for each in items if each["agent"])
    return ProtectionSummary(
        mediated=states.count("mediated") + len(keys),
        direct=tuple(
            f"{each['client']} {each['server']}"
            for each in items
            if each["state"] in _DIRECT
            and each["server"]
            and (each["client"], each["server"]) not in through
        ),
        keys=len(keys),
        refused=states.count("refused") + states.count("no-hook"),
        failed=sum(each["start"] == "failed" for each in items),
        unstarted=sum(
            each["state"] == "mediated" and not (each["start"] or each["calls"])
            for each in items
        ),
        agents=tuple(
            _summarise_agent([each for each in items if each["agent"] == name])
            for name in names
        ),
        next=next((each["next"] for each in items if each["next"]), ""),
    )


def _summarise_agent(rows: Sequence[ProtectionStatusItem]) -> ProtectedAgent:
    """Summarise the rows of one agent."""
    hooks = [bool(each["calls"]) for each in rows if each["state"] == "hook"]
    refused = [each["would_deny"] for each in rows]
    return ProtectedAgent(
        name=(rows[0]["agent"] or "").rpartition("/")[2],
        mode=rows[0]["mode"] or "",
        runs=rows[0]["runs"],
        would_deny=None if None in refused else sum(filter(None, refused)),
        hook=any(hooks) if hooks else None,
        next=next((each["next"] for each in rows if each["next"]), ""),
    )
