"""Pure parsers shared by several connectors; they do no IO."""
