"""The words that every door says in the same way: safe text, ages, coverage. Pure."""
