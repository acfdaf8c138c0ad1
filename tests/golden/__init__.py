"""Archives whose bytes are committed, the program that makes them, and broken ones."""
