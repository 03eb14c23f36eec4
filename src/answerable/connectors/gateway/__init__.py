"""The gateway's spool: what our own mediator recorded, on its way to the store."""
