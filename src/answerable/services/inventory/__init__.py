"""Scan sources and load snapshots of the identity inventory for several use cases."""
