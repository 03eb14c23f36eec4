"""HTTP/1.1 of the token service: connections, answers, routes."""
