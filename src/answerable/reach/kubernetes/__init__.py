"""Evaluate Kubernetes permissions: RBAC, and what pods and tokens lead to."""
