"""Use cases of AWS only: cuts, exposures, usage and the policy simulator."""
