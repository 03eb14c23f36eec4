"""A stand-in for the world: what each source says, or the error it ends with."""

from dataclasses import dataclass, field

from answerable.model.connector import SyncContext
from answerable.model.sighting import ReadProblem, SightedFacts, Sync


@dataclass
class ConnectorStub:
    facts: dict[str, SightedFacts] = field(default_factory=dict)
    problems: dict[str, tuple[ReadProblem, ...]] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def sync(self, name: str, location: str, context: SyncContext) -> Sync:
        self.asked.append((name, location))
        if name in self.errors:
            raise self.errors[name]
        return Sync(
            source=f"{name}:{location}",
            connector=name,
            started_at=context.now,
            facts=self.facts.get(name, SightedFacts()),
            problems=self.problems.get(name, ()),
            collected=("agent-configs",),
        )
