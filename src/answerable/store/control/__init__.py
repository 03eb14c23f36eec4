"""What the token service remembers: one contract, in SQLite and in PostgreSQL."""
