"""Run `serve`: a supervisor process, its workers, and the status listener."""
