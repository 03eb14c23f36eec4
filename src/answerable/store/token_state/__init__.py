"""State of the token service: one interface, implemented in SQLite and PostgreSQL."""
