"""Watch of attested owners in the store, refreshed about once a second.

An owner counts until its attestation expires, whatever the age of the last read.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from answerable.model.ids import AgentId, PersonId
from answerable.server.operator_log import Log
from answerable.server.store_watch import StoreWatch, Unheld
from answerable.services.statements.attested_owners import AttestedOwner, AttestedOwners
from answerable.store.store import Store

_SECOND = 1_000_000_000  # nanoseconds

Attested = Mapping[AgentId, AttestedOwner]


class Owners(StoreWatch[Attested]):
    """Cache of attested owners.

    Args:
        root: Folder of the store.
    """

    every = 1.0
    last_good = 300.0
    _nothing: Attested = MappingProxyType({})
    _of: AttestedOwners

    def __init__(self, root: Path, log: Log) -> None:
        super().__init__(
            root,
            self._take,
            lambda digest, why: None,
            lambda why: log.error("owners.refused", why=why),
        )
        self._people: Mapping[AgentId, PersonId] = {}
        self._people_until = 0.0

    def __len__(self) -> int:
        """Return the number of agents with an owner."""
        return len(self._standing)

    def people(self, now: float) -> Mapping[AgentId, PersonId]:
        """Return the owner of each agent with an unexpired attestation."""
        if now >= self._people_until:
            self._count(now)
        return self._people

    def _count(self, now: float) -> None:
        at = int(now * _SECOND)
        standing = {a: each for a, each in self._standing.items() if at < each.expires}
        ends = (each.expires / _SECOND for each in standing.values())
        self._people = {agent: each.person for agent, each in standing.items()}
        self._people_until = min(ends, default=float("inf"))

    def _take(self, _: Attested) -> None:
        self._people_until = 0.0

    def _look(self, store: Store, now: int, *, fresh: bool) -> tuple[Attested, Unheld]:
        if fresh:
            self._of = AttestedOwners(store)
        return self._of.now(now), ()
