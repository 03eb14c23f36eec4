"""Connector of the gateway's spool: records on their way to the store."""
