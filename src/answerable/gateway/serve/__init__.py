"""`serve`: a supervisor, its workers, and the listener of health and metrics."""
