"""Parser of `answerable.yaml` to `Config`, or all faults with positions."""
