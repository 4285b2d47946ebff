"""A session at work: its loop, its calls, the objects that it opens with."""
