"""Tool definition pins: what servers declare, and what is quarantined."""
