"""Evidence of exchanges on its way to the spool, with limits for floods."""
