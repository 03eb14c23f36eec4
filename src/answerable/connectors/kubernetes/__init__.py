"""Kubernetes connector: reads dumps, manifests, EKS output and live clusters."""
