"""One file per part of the chain; each command calls one flow and shows its answer."""
