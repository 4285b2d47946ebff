"""Sessions of other products: samples of all of them, read by all formats."""
