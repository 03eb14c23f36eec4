"""Notices of revocations in a process's records and log."""

from answerable.authorization.revocations import Kills
from answerable.server.operator_log import Log
from answerable.server.recording.server_recorder import DoorRecorder


class KillsTold:
    """Reporter of revocations.

    Args:
        recorder: Recorder of the process.
    """

    def __init__(self, recorder: DoorRecorder, log: Log) -> None:
        self._recorder, self._log = recorder, log

    def changed(self, killed: Kills, revived: Kills) -> None:
        """Report revocations and reinstatements that took effect here."""
        self._recorder.killed(killed, revived)
        for subject in sorted(killed):
            self._log.warning("kill.taken", subject=subject)
        for subject in sorted(revived):
            self._log.warning("kill.revived", subject=subject)

    def unread(self, why: str) -> None:
        """Report that the revocation list cannot be read."""
        self._log.error("kills.refused", why=why)
