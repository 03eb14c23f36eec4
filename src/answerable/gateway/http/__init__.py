"""Gateway over HTTP: connections of clients, and of upstream servers."""
