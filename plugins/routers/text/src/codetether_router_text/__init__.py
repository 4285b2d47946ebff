"""The deterministic tool-call router for codetether: calls written as text become structured ones."""
