"""One reading of HTTP/1.1: heads and bodies, or a refusal. Pure."""
