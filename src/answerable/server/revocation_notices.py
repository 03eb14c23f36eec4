"""Report revocations that take effect, in a process's records and log."""

from answerable.authorization.revocations import Revocations
from answerable.server.operator_log import OperatorLog
from answerable.server.recording.server_recorder import ServerRecorder


class RevocationNotices:
    """Reporter of revocations.

    Args:
        recorder: Recorder of the process.
    """

    def __init__(self, recorder: ServerRecorder, log: OperatorLog) -> None:
        self._recorder, self._log = recorder, log

    def report_changes(self, revoked: Revocations, reinstated: Revocations) -> None:
        """Report revocations and reinstatements that took effect here."""
        self._recorder.record_revocations(revoked, reinstated)
        for subject in sorted(revoked):
            self._log.warning("kill.taken", subject=subject)
        for subject in sorted(reinstated):
            self._log.warning("kill.revived", subject=subject)

    def report_unreadable(self, reason: str) -> None:
        """Report that the revocation list cannot be read."""
        self._log.error("kills.refused", why=reason)
