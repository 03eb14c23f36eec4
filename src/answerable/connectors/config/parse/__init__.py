"""The text of `answerable.yaml` -> `Config`, or every fault with line and column."""
