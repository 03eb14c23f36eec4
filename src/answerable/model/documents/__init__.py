"""JSON documents that commands, the HTTP API and web pages return."""
