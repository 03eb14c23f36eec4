"""Run the security token service: exchange tokens under trust rules (RFC 8693)."""
