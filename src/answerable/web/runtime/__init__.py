"""Process of the web interface: assembly, start, reload, shutdown."""
