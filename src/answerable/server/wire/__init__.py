"""Parse HTTP/1.1 strictly: request heads and bodies, or a refusal."""
