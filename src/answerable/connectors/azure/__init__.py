"""Azure connector: reads role assignments and role definitions from exports."""
