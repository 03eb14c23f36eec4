"""Process tree of `serve`: a supervisor, its workers, and the status listener."""
