"""The rules once more, written for reading: the slow twin. Start at `request`."""
