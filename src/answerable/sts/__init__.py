"""The token service: verified workloads in, short-lived bound tokens out. A door."""
