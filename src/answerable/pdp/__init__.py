"""Policy decision point for external enforcement points: AuthZEN and ext_authz."""
