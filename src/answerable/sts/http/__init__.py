"""HTTP/1.1 server of the token service: connections, routes, responses."""
