"""Keys in the keyring of the operating system, for codetether."""
