"""Decide requests of agents: evaluate the policy in force, return a decision. Pure."""
