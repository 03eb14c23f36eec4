"""Store signing keys encrypted on disk, and rotate them daily."""
