"""Current revocations, shared by everything that decides in this process."""

from answerable.authorization.revocations import NO_KILLS, Kills


class Bounds:
    """Holder of the current revocations, replaced as a whole."""

    def __init__(self) -> None:
        self._kills: Kills = NO_KILLS

    @property
    def kills(self) -> Kills:
        """Return the revoked subjects."""
        return self._kills

    def hold_kills(self, kills: Kills) -> None:
        """Replace the revocations; callable from any thread."""
        self._kills = kills

    def set_kills(self, kills: Kills) -> None:
        """Replace the revocations."""
        self._kills = kills
