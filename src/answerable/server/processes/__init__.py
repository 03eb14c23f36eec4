"""Attest processes by the kernel: socket peers, parents, and registered runs."""
