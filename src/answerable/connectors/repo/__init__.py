"""`repo:DIR`: agent configurations, workflows and code owners of a project."""
