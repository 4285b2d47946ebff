"""The tools todo, plan, task, skill and memory, for codetether."""
