"""AWS: evaluation, compiled accounts, bulk bitsets, paths and escalation rules."""
