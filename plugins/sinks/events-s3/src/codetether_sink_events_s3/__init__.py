"""Archives the event stream of codetether in any S3-compatible store."""
