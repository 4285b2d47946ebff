"""The tools webfetch and websearch, for codetether."""
