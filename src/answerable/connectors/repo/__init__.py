"""Repository connector: agent configurations, workflows and owners of a project."""
