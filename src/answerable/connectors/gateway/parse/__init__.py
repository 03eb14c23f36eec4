"""Parser from gateway records to audit events, line by line."""
