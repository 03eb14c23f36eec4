"""Record every decision and outcome as evidence, before or soon after the call."""
