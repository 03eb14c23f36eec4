"""Gateway spool connector: reads recorded decisions on their way to the store."""
