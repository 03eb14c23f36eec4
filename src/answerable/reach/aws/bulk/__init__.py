"""Bulk evaluation: every principal at once, in bitsets. Start at `closure`."""
