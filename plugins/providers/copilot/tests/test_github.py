"""Where a GitHub has what Copilot needs, and whom its tokens are trusted to name."""

from __future__ import annotations

import pytest
from codetether import UsageError
from codetether_provider_copilot.github import GitHub, enterprise


@pytest.mark.parametrize(
    ("said", "url", "api", "models"),
    [
        (
            "octocorp.ghe.com",
            "https://octocorp.ghe.com",
            "https://api.octocorp.ghe.com",
            "https://copilot-api.octocorp.ghe.com",
        ),
        (
            "HTTPS://GitHub.Corp.example:8443/login/",
            "https://github.corp.example:8443",
            "https://api.github.corp.example:8443",
            "https://copilot-api.github.corp.example:8443",
        ),
        ("https://www.github.com", "https://github.com", "https://api.github.com", "https://api.githubcopilot.com"),
        ("http://127.0.0.1:81", "http://127.0.0.1:81", "http://127.0.0.1:81/api/v3", "http://127.0.0.1:81"),
        ("https://[::1]:8", "https://[::1]:8", "https://[::1]:8/api/v3", "https://[::1]:8"),
    ],
)
def test_an_enterprise_is_named_by_its_url(said: str, url: str, api: str, models: str) -> None:
    github = enterprise(said)
    assert (github.url, github.api, github.models) == (url, api, models)


@pytest.mark.parametrize(
    "said",
    [
        "http://octocorp.ghe.com",
        "ftp://octocorp.ghe.com",
        "https://me:pw@octocorp.ghe.com",
        "https://",
        "https://x:port",
        "https://[x",
    ],
)
def test_what_is_no_url_of_an_enterprise_is_refused(said: str) -> None:
    with pytest.raises(UsageError) as raised:
        enterprise(said)
    assert raised.value.remedy
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    ("github", "url", "trusted"),
    [
        ("https://github.com", "https://api.individual.githubcopilot.com", True),
        ("https://github.com", "https://copilot-api.octocorp.ghe.com/v1", True),
        ("https://github.com", "http://api.githubcopilot.com", False),
        ("https://github.com", "https://githubcopilot.com.evil.example", False),
        ("https://github.com", "https://evilgithubcopilot.com", False),
        ("https://github.com", "https://api.githubcopilot.com@evil.example", False),
        ("https://github.com", "https://key@api.githubcopilot.com", False),
        ("https://github.com", "https://[x", False),
        ("https://github.com", "", False),
        ("https://github.corp.example", "https://copilot.github.corp.example", True),
        ("https://github.corp.example", "https://api.githubcopilot.com", True),
        ("https://github.corp.example", "http://copilot.github.corp.example", False),
        ("https://github.corp.example", "https://other.corp.example", False),
        ("http://127.0.0.1:81", "http://127.0.0.1:82", True),
    ],
)
def test_models_are_on_hosts_of_githubs_or_of_the_enterprise(github: str, url: str, trusted: bool) -> None:
    assert GitHub(url=github).serves(url) is trusted
