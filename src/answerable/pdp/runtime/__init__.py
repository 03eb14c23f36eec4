"""Process of the decision point: assembly, start, reload, shutdown."""
