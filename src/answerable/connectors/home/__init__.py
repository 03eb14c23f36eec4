"""Home connector: reads agent clients, credentials and the person of a home."""
