"""A session as a document that leaves this machine: JSON, Markdown, a page of HTML."""
