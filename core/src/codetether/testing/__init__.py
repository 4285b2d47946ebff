"""Public aids for testing plugins and programs that use codetether."""
