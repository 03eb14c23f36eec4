"""What enforcement points ask and hear, in bytes; as pure as a room."""
