"""What the token service costs: measured from outside, over HTTP on loopback."""
