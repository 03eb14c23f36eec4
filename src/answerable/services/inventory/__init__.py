"""Snapshots, scans and ownership evidence shared by use cases."""
