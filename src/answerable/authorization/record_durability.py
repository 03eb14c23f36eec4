"""Decide whether a call waits until its decision record is on disk (durability).

These wait: writes, and every tool that no operator declared a read (a server's own
annotations do not count); reads of sensitive resources; and requests from a server to
the client, because the answer leaves the client.
"""

from dataclasses import dataclass

from answerable.authorization.name_patterns import is_prefix_pattern, matches, may_match
from answerable.model.config import UpstreamServer
from answerable.model.decision import RecordDurability, TargetKind

_ASKED_BACK = frozenset({TargetKind.PERSON, TargetKind.MODEL, TargetKind.ROOTS})
# Methods that continue or end a task; tasks/get and tasks/result only read.
_TASK_WRITES = frozenset({"tasks/update", "tasks/cancel"})


@dataclass(frozen=True, slots=True)
class DurabilityRules:
    """Reads and sensitive resources that one server's configuration declares.

    Attributes:
        reads: Names of read-only tools.
        read_prefixes: Patterns of such names.
        sensitive: URIs of sensitive resources.
        sensitive_prefixes: Patterns of such URIs.
    """

    reads: frozenset[str]
    read_prefixes: tuple[str, ...]
    sensitive: frozenset[str]
    sensitive_prefixes: tuple[str, ...]

    @classmethod
    def from_server(cls, server: UpstreamServer) -> "DurabilityRules":
        """Compile the `reads` and `sensitive` patterns of a server's configuration."""
        reads, read_prefixes = _split_patterns(server.reads)
        sensitive, sensitive_prefixes = _split_patterns(server.sensitive)
        return cls(reads, read_prefixes, sensitive, sensitive_prefixes)

    def choose_durability(
        self, target: TargetKind, action: str, name: str
    ) -> RecordDurability:
        """Choose whether a call waits until its decision record is on disk."""
        if target is TargetKind.TOOL:
            durable = not self._is_read(name)
        elif target is TargetKind.RESOURCE:
            durable = self._is_sensitive(name)
        elif target is TargetKind.TASK:
            durable = action in _TASK_WRITES
        else:
            durable = target in _ASKED_BACK
        return RecordDurability.DURABLE if durable else RecordDurability.BUFFERED

    def _is_read(self, name: str) -> bool:
        """Return whether a tool surely only reads, by the configured patterns."""
        return name in self.reads or any(matches(p, name) for p in self.read_prefixes)

    def _is_sensitive(self, name: str) -> bool:
        """Return whether a resource may be sensitive, by the configured patterns."""
        return name in self.sensitive or any(
            may_match(p, name) for p in self.sensitive_prefixes
        )


def _split_patterns(
    patterns: tuple[str, ...],
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Split patterns into exact names and prefixes."""
    prefixes = tuple(p for p in patterns if is_prefix_pattern(p))
    return frozenset(patterns) - frozenset(prefixes), prefixes
