"""Parse `answerable.yaml` into `Config`, or all faults with their positions."""
