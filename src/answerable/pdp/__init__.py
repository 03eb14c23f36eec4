"""Policy decision point for external enforcement points: AuthZEN and Envoy ext_authz."""
