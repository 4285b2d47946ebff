"""The providers github-copilot and github-copilot-enterprise for codetether."""
