"""Kubernetes connector: reads dumps, manifests, EKS answers and live clusters."""
