"""`codetether chat`: the conversation at a terminal."""

from codetether.cli.chat.command import chat as chat
