"""Poll the store for the attested owner of each agent, about once a second.

An owner counts until its attestation expires, even if the last read is old.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from answerable.model.ids import AgentId, PersonId
from answerable.server.operator_log import OperatorLog
from answerable.server.store_watch import Rejections, StoreWatch
from answerable.services.statements.attested_owners import (
    AttestedOwner,
    AttestedOwnerReader,
)
from answerable.store.store import EvidenceStore

_SECOND = 1_000_000_000  # nanoseconds

OwnersByAgent = Mapping[AgentId, AttestedOwner]


class OwnerWatch(StoreWatch[OwnersByAgent]):
    """Cache of attested owners.

    Args:
        root: Folder of the store.
    """

    every = 1.0
    last_good = 300.0
    _nothing: OwnersByAgent = MappingProxyType({})
    _of: AttestedOwnerReader

    def __init__(self, root: Path, log: OperatorLog) -> None:
        super().__init__(
            root,
            self._reset_expiry,
            lambda digest, why: None,
            lambda why: log.error("owners.refused", why=why),
        )
        self._people: Mapping[AgentId, PersonId] = {}
        self._people_until = 0.0

    def __len__(self) -> int:
        """Return the number of agents with an owner."""
        return len(self._standing)

    def current_owners(self, now: float) -> Mapping[AgentId, PersonId]:
        """Return the owner of each agent with an unexpired attestation."""
        if now >= self._people_until:
            self._drop_expired(now)
        return self._people

    def _drop_expired(self, now: float) -> None:
        """Drop expired attestations; compute when the next one expires."""
        at = int(now * _SECOND)
        standing = {a: each for a, each in self._standing.items() if at < each.expires}
        ends = (each.expires / _SECOND for each in standing.values())
        self._people = {agent: each.person for agent, each in standing.items()}
        self._people_until = min(ends, default=float("inf"))

    def _reset_expiry(self, _: OwnersByAgent) -> None:
        """Compute the current owners again at the next request for them."""
        self._people_until = 0.0

    def _read_valid(
        self, store: EvidenceStore, now: int, *, is_new_store: bool
    ) -> tuple[OwnersByAgent, Rejections]:
        """Return the valid attestations, and the rejected ones with reasons."""
        if is_new_store:
            self._of = AttestedOwnerReader(store)
        return self._of.read(now), ()
