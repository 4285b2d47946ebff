"""Settings: layers of files, environment and flags, with the place of every value."""
