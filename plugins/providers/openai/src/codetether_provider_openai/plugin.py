"""What the plugin openai offers to codetether's hooks."""
