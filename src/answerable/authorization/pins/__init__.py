"""Pin the tool definitions that servers declare; quarantine those that change."""
