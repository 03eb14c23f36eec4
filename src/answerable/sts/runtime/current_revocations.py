"""Hold the current revocations for everything that decides in this process."""

from answerable.authorization.revocations import NO_REVOCATIONS, Revocations


class RevocationState:
    """Holder of the current revocations, replaced as a whole."""

    def __init__(self) -> None:
        self._kills: Revocations = NO_REVOCATIONS

    @property
    def revocations(self) -> Revocations:
        """Return the revoked subjects."""
        return self._kills

    def apply_revocations(self, revocations: Revocations) -> None:
        """Replace the revocations; callable from any thread."""
        self._kills = revocations

    def update_revocations(self, revocations: Revocations) -> None:
        """Replace the revocations; called in the event loop."""
        self._kills = revocations
