"""Microsoft Entra connector: reads log records as audit events."""
