"""Run the process of the decision point: assembly, start, reload, shutdown."""
