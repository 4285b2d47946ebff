"""The google-generate-content wire for codetether and the provider google."""
