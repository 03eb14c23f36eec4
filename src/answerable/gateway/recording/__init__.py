"""Evidence of every decision and outcome, on disk before or soon after the call."""
