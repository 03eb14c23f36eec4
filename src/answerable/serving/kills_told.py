"""What a process says of kills: in its records, and in its log."""

from answerable.enforce.kill import Kills
from answerable.serving.log import Log
from answerable.serving.recording.recorder import DoorRecorder


class KillsTold:
    """Tells of kills.

    Args:
        recorder: Records them.
        log: Of the process.
    """

    def __init__(self, recorder: DoorRecorder, log: Log) -> None:
        self._recorder, self._log = recorder, log

    def changed(self, killed: Kills, revived: Kills) -> None:
        """Tell that some took hold here, and some were taken back."""
        self._recorder.killed(killed, revived)
        for subject in sorted(killed):
            self._log.warning("kill.taken", subject=subject)
        for subject in sorted(revived):
            self._log.warning("kill.revived", subject=subject)

    def unread(self, why: str) -> None:
        """Tell that the file cannot be read."""
        self._log.error("kills.refused", why=why)
