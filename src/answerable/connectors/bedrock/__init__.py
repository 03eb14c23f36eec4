"""Bedrock invocation connector: reads log records as audit events."""
