"""PostgreSQL connector: reads dumps of roles and schemas, and catalogue queries."""
