"""The kills in force, for whoever decides in this process."""

from answerable.enforce.kill import NO_KILLS, Kills


class Bounds:
    """Holds them; replaced whole."""

    def __init__(self) -> None:
        self._kills: Kills = NO_KILLS

    @property
    def kills(self) -> Kills:
        """Subjects that may do nothing."""
        return self._kills

    def hold_kills(self, kills: Kills) -> None:
        """Put these kills in force; any thread may call it."""
        self._kills = kills

    def set_kills(self, kills: Kills) -> None:
        """Put these kills in force."""
        self._kills = kills
