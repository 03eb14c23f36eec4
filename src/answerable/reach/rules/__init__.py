"""Ways to become somebody, as data with sources. Start at `rules`."""
