"""Poll the store for the attested owner of each agent, about once a second.

An owner counts until its attestation expires, even if the last read is old.
"""

from collections.abc import Mapping
from pathlib import Path

from answerable.model.ids import AgentId, PersonId
from answerable.model.time_units import SECOND_NS
from answerable.server.operator_log import OperatorLog
from answerable.server.statement_watch import StatementWatch
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.services.statements.statements_in_force import StatementsInForce


class OwnerWatch(StatementWatch):
    """Cache of attested owners.

    Args:
        root: Folder of the store.
    """

    def __init__(self, root: Path, log: OperatorLog) -> None:
        super().__init__(
            root,
            (AttestedOwnerReader,),
            self._reset_expiry,
            lambda noun, digest, why: None,
            lambda why: log.error("owners.refused", why=why),
            interval=1.0,
        )
        self._people: Mapping[AgentId, PersonId] = {}
        self._people_until = 0.0

    def __len__(self) -> int:
        """Return the number of agents with an owner."""
        return len(self.current.get(AttestedOwnerReader))

    def current_owners(self, now: float) -> Mapping[AgentId, PersonId]:
        """Return the owner of each agent with an unexpired attestation."""
        if now >= self._people_until:
            self._drop_expired(now)
        return self._people

    def _drop_expired(self, now: float) -> None:
        """Drop expired attestations; compute when the next one expires."""
        at = int(now * SECOND_NS)
        owners = self.current.get(AttestedOwnerReader)
        valid = [each for each in owners if at < each.expires]
        ends = (each.expires / SECOND_NS for each in valid)
        self._people = {each.agent: each.person for each in valid}
        self._people_until = min(ends, default=float("inf"))

    def _reset_expiry(self, _: StatementsInForce) -> None:
        """Discard the cached owners, so that the next request computes them again."""
        self._people_until = 0.0
