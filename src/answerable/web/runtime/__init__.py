"""Run the process of the web interface: settings, start, reload, shutdown."""
