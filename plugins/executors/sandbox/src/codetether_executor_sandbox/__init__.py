"""Commands confined by bubblewrap or Landlock, for codetether."""
