"""Parse file formats that several connectors share, without IO."""
