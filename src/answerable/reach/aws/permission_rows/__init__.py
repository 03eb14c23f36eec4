"""List a principal's effective permissions as (action, resource) pattern rows."""
