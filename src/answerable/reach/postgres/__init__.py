"""PostgreSQL grants: evaluate roles, memberships, privileges and row security."""
