"""What the gateway costs: measured from outside, on sockets and pipes."""
