"""Learn and format behaviour profiles of agents for several use cases."""
