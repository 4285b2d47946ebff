"""What the plugin events-jsonl offers to codetether's hooks."""
