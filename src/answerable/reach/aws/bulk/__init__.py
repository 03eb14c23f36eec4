"""Evaluate every principal of a snapshot at once, in bitsets. Start at `closure`."""
