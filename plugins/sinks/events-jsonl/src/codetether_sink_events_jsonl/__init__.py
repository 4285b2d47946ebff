"""An event sink for codetether: sessions as a stream of JSON lines."""
