"""Processes as the kernel names them: the peer of a socket, the parent of our own."""
