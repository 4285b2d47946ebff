"""The house as it should stand: rooms, hooks, names, start-up."""
