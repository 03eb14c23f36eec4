"""Who is calling: found out from tokens, TLS and the kernel, for every door."""
