"""Receivers of log records over HTTP: OpenTelemetry, and Kubernetes audit webhooks."""
