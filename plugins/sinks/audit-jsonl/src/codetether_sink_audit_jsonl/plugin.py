"""What the plugin audit-jsonl offers to codetether's hooks."""
