"""Records of the gateway, as its recorders spool them."""
