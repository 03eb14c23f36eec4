"""Parsed sources of several connectors, with the coverage of their files or answers."""

from dataclasses import dataclass

from answerable.model.coverage import CoverageScope
from answerable.model.sighting import Probe, ReadProblem, SightedFacts, Sync


@dataclass(frozen=True, slots=True)
class ParsedSource:
    """Facts of a source, with the words of coverage that it has and lacks.

    Attributes:
        recognised: Number of objects that were read.
    """

    facts: SightedFacts
    problems: tuple[ReadProblem, ...]
    collected: tuple[str, ...]
    not_collected: tuple[str, ...]
    recognised: int

    def build_sync(
        self,
        source: str,
        probes: tuple[Probe, ...],
        problems: tuple[ReadProblem, ...],
        now: int,
    ) -> Sync:
        """Build the sync of a source, `CONNECTOR:LOCATION`."""
        return Sync(
            source=source,
            connector=source.partition(":")[0],
            started_at=now,
            facts=self.facts,
            probes=probes,
            problems=problems,
            collected=self.collected,
            not_collected=self.not_collected,
        )


@dataclass(frozen=True, slots=True)
class ParsedAwsAnswers:
    """Parsed answers of AWS; `collected` are coverage kinds, `held` their places."""

    facts: SightedFacts
    problems: tuple[ReadProblem, ...]
    collected: tuple[str, ...]
    held: tuple[CoverageScope, ...]

    def build_sync(
        self, source: str, probe: Probe, collects: tuple[str, ...], now: int
    ) -> Sync:
        """Build the sync of a file; `collects` are the kinds it could have."""
        return Sync(
            source=source,
            connector=source.partition(":")[0],
            started_at=now,
            facts=self.facts,
            probes=(probe,),
            problems=self.problems,
            collected=self.collected,
            not_collected=tuple(w for w in collects if w not in self.collected),
            held=self.held,
        )
