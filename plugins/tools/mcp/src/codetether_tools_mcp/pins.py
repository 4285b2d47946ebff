"""What the user approved of each server, kept on this machine: that it may be used, and what it offered then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from codetether import Fields, private_directory, replace_file

from codetether_tools_mcp.definitions import Listing
from codetether_tools_mcp.servers import Server


@frozen(kw_only=True)
class Pin:
    """What is known of a server.

    Attributes:
        approved: the user said that it may be used, though another wrote it down.
        listing: what it offered when that was approved, and what the model is told; None before it was ever asked.
        news: what it offers by now, where that has changed.
    """

    approved: bool = False
    listing: Listing | None = None
    news: Listing | None = None


class Pins:
    """The pins of all servers, a file each, under their fingerprints."""

    def __init__(self, state_dir: Path) -> None:
        self._place = state_dir / "servers"

    def get(self, server: Server) -> Pin:
        """The server's pin; a new one where there is none that can be read."""
        try:
            raw: Any = json.loads(self._path(server).read_bytes())
        except (OSError, ValueError, RecursionError):  # unread is unapproved
            return Pin()
        told = Fields(raw)
        return Pin(
            approved=told.flag("approved"),
            listing=Listing.of(told.get("listing")) if told.get("listing") else None,
            news=Listing.of(told.get("news")) if told.get("news") else None,
        )

    def usable(self, server: Server) -> bool:
        """Whether it may be started or reached."""
        return server.settings.enabled and (server.trusted or self.get(server).approved)

    def approve(self, server: Server, shown: Listing) -> None:
        """It may be used from now on, with what the user was shown."""
        self._put(server, Pin(approved=True, listing=shown))

    def revoke(self, server: Server) -> None:
        """Nothing of it counts any more."""
        self._path(server).unlink(missing_ok=True)

    def seen(self, server: Server, now: Listing) -> tuple[str, ...]:
        """Compares what it offers now with what was approved: which tools are new or changed, and so not offered.

        What it offers the first time counts as approved with the server itself.
        """
        pin = self.get(server)
        if changed := pin.listing.news(now) if pin.listing else ():
            self._put(server, evolve(pin, news=now))
        elif (pin.listing, pin.news) != (now, None):  # the first, or less than it was, or other prompts
            self._put(server, evolve(pin, listing=now, news=None))
        return changed

    def _put(self, server: Server, pin: Pin) -> None:
        private_directory(self._place)
        raw = {
            "name": server.name,
            "origin": server.origin,
            "what": server.what,
            "approved": pin.approved,
            "listing": pin.listing.plain() if pin.listing else None,
            "news": pin.news.plain() if pin.news else None,
        }
        replace_file(self._path(server), json.dumps(raw).encode("utf-8", "surrogatepass"))

    def _path(self, server: Server) -> Path:
        return self._place / f"{server.fingerprint}.json"
