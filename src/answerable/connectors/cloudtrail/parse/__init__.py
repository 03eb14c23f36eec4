"""Parse CloudTrail bytes into audit events, without IO."""
