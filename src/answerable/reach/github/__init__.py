"""Evaluate GitHub permissions: repository roles, protection, workflows, tokens."""
