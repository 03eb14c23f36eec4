"""Process of the token service: assembly, start, reload, shutdown."""
