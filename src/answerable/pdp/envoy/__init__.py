"""Serve Envoy external authorization (envoy.service.auth.v3) over gRPC."""
