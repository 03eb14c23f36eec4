"""Records of a gateway, line by line, and the events they become."""
