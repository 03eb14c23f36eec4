"""An inventory's facts, compiled: policies, principals, places. Start at `estate`."""
