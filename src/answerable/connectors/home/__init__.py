"""`home:DIR`: agent clients, ambient credentials and the person of a home directory."""
