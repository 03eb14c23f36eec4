"""Split and check JSON records of log files, within constant memory."""
