"""Chain rows, name resolution and trail filters shared by use cases."""
