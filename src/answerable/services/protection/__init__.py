"""Protection of a developer machine's clients: their servers behind the gateway."""
