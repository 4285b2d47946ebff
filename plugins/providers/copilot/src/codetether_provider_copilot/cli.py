"""`codetether auth copilot`: a sign-in at GitHub, kept where keys are kept."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import click
from codetether import SignedIn, SignIn, sign_in

if TYPE_CHECKING:
    from codetether_provider_copilot.device import DeviceCode
    from codetether_provider_copilot.github import GitHub

VARIABLE = "CODETETHER_COPILOT_OAUTH_CLIENT_ID"


@click.command("copilot")
@click.option("--enterprise", metavar="URL", help="Of an enterprise's own GitHub, e.g. octocorp.ghe.com.")
@click.option("--client-id", metavar="ID", help=f"Of an OAuth app of your own; also by {VARIABLE}.")
@click.option("--source", metavar="NAME", help="The store that keeps it, e.g. file, keyring or vault.")
@click.option("--no-browser", is_flag=True, help="Offer no browser.")
def command(enterprise: str | None, client_id: str | None, source: str | None, no_browser: bool) -> int:
    """Sign in to GitHub Copilot: a code is shown, you type it in at GitHub, and what comes of it is kept.

    It is kept as the key of github-copilot, or of github-copilot-enterprise, and never shown.
    """
    from codetether_provider_copilot.device import CLIENT_ID
    from codetether_provider_copilot.github import GitHub
    from codetether_provider_copilot.github import enterprise as enterprise_at

    github = enterprise_at(enterprise) if enterprise else GitHub()
    name = "github-copilot-enterprise" if enterprise else "github-copilot"
    client = client_id or os.environ.get(VARIABLE) or CLIENT_ID
    return sign_in(name, partial(_flow, name, github, client, not no_browser), source=source)


async def _flow(name: str, github: GitHub, client_id: str, browser: bool, desk: SignIn) -> SignedIn:
    from codetether_provider_copilot.device import DeviceFlow
    from codetether_provider_copilot.token import fetch

    async with DeviceFlow(github, client_id) as flow:
        code = await flow.code()
        desk.hide(code.device_code)
        _show(code, desk)
        offer = asyncio.create_task(_offer(code.verification_uri, desk)) if browser and desk.attended else None
        try:
            key = await flow.wait(code, lambda trouble: desk.say(f"{trouble}; trying on"))
        finally:
            if offer is not None:
                offer.cancel()
                with suppress(asyncio.CancelledError):
                    await offer
    desk.hide(key)

    async def check() -> str:
        token = await fetch(key, github, name=name)
        return f"{token.account}, its models at {token.base_url or github.models}"

    where = {"enterprise_url": None if github.public else github.url}
    return SignedIn(values={"api_key": key, "token": None, **where}, check=check)


def _show(code: DeviceCode, desk: SignIn) -> None:
    """The code so that nobody overlooks it, in one piece so that it can be copied."""
    bar = "═" * (len(code.user_code) + 6)
    desk.say(f"Open {code.verification_uri} and type in this code:\n")
    desk.say(f"    ╔{bar}╗\n    ║   {code.user_code}   ║\n    ╚{bar}╝\n", strong=True)
    desk.say(f"Waiting for GitHub, {code.expires_in / 60:.0f} minutes at most; Ctrl-C gives up.")


async def _offer(address: str, desk: SignIn) -> None:
    """Opens the page in a browser when Enter is pressed."""
    import threading
    import webbrowser

    if not address.startswith("https://"):
        return
    desk.say("Enter opens the page in a browser.")
    if await desk.enter():  # a browser may take its time, or never come back
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
