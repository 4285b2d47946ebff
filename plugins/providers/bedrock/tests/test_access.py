"""Who asks, and where: keys and signatures, regions and profiles."""

from __future__ import annotations

import json
import stat
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from codetether import AuthenticationFailed, ConnectionFailed, Provider, Secret, UsageError
from codetether_http import Outgoing, quirks_from
from codetether_provider_bedrock.access import Access, access
from codetether_provider_bedrock.quirks import Quirks

OUTGOING = Outgoing(url="https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse", body=b"{}", headers={})
STATIC = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "hidden-0123456789"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without anything of AWS, on a machine that is no instance."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION", "DEFAULT_REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def accessed(
    values: Mapping[str, Any] | None = None, base_url: str = "", name: str = "bedrock", **options: Any
) -> Access:
    secret = None if values is None else Secret(values=values, source="vault:x")
    provider = Provider(name=name, wire="bedrock-converse", base_url=base_url, secret=secret, options=options)
    return access(provider, quirks_from(provider, Quirks))


async def signed(by: Access) -> Mapping[str, str]:
    assert by.authorize is not None
    return (await by.authorize(OUTGOING)).headers


def scope(headers: Mapping[str, str]) -> list[str]:
    """The key's id, and the region and the service that a signature is for."""
    credential = headers["authorization"].partition("Credential=")[2].partition(",")[0].split("/")
    return [credential[0], *credential[2:]]


def test_a_bearer_key_needs_no_signature() -> None:
    made = accessed({"api_key": "bedrock-api-key \n", "region": "eu-west-1"})
    assert made == Access(
        base_url="https://bedrock-runtime.eu-west-1.amazonaws.com", headers={"authorization": "Bearer bedrock-api-key"}
    )


def test_a_server_of_ones_own_needs_no_region() -> None:
    assert accessed({"api_key": "k"}, "http://127.0.0.1:1").base_url == "http://127.0.0.1:1"
    assert accessed(None, "http://127.0.0.1:1") == Access(base_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    "values",
    [STATIC, {f"aws_{name}": value for name, value in STATIC.items()}],
    ids=["plain", "with aws_"],
)
async def test_keys_in_the_secret_sign(values: Mapping[str, str]) -> None:
    made = accessed({**values, "session_token": "token-0123456789", "region": "us-west-2"})
    assert made.base_url == "https://bedrock-runtime.us-west-2.amazonaws.com"
    headers = await signed(made)
    assert scope(headers) == ["AKIDEXAMPLE", "us-west-2", "bedrock", "aws4_request"]
    assert headers["x-amz-security-token"] == "token-0123456789"
    assert "hidden-0123456789" not in repr(made)


async def test_what_signs_is_hidden_from_messages() -> None:
    made = accessed({**STATIC, "session_token": "token-0123456789", "region": "us-west-2"})
    assert made.authorize is not None
    grant = await made.authorize(OUTGOING)
    assert grant.secrets == ("hidden-0123456789", "token-0123456789")
    assert "token-0123456789" not in repr(grant)


def test_a_key_without_its_secret_is_said() -> None:
    with pytest.raises(AuthenticationFailed, match="access_key_id without a secret_access_key\n  see vault:x"):
        accessed({"access_key_id": "A", "region": "us-east-1"})


@pytest.mark.parametrize(
    ("values", "options", "variables", "base_url", "region"),
    [
        ({"region": "us-one-1"}, {"region": "us-one-2"}, {"AWS_REGION": "us-one-3"}, "", "us-one-1"),
        ({}, {"region": "us-one-2"}, {"AWS_REGION": "us-one-3"}, "", "us-one-2"),
        ({}, {}, {"AWS_REGION": "us-one-3", "AWS_DEFAULT_REGION": "us-one-4"}, "", "us-one-3"),
        ({}, {}, {"AWS_DEFAULT_REGION": " us-one-4 "}, "https://bedrock-runtime.us-one-5.amazonaws.com", "us-one-4"),
        ({}, {}, {}, "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ({}, {}, {}, "https://vpce-1-2.bedrock-runtime.eu-west-3.vpce.amazonaws.com", "eu-west-3"),
        ({}, {}, {}, "https://proxy.example/aws", "eu-north-1"),
        ({"profile": "dev"}, {}, {}, "", "eu-south-1"),
    ],
)
async def test_the_region_is_the_first_that_is_said(
    values: Mapping[str, str],
    options: Mapping[str, Any],
    variables: Mapping[str, str],
    base_url: str,
    region: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (home / "config").write_text("[default]\nregion = eu-north-1\n[profile dev]\nregion = eu-south-1\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = accessed({**STATIC, **values}, base_url, **options)
    assert scope(await signed(made))[1] == region
    assert made.base_url == (base_url or f"https://bedrock-runtime.{region}.amazonaws.com")


def test_china_has_an_ending_of_its_own() -> None:
    made = accessed({"api_key": "k", "region": "cn-north-1"})
    assert made.base_url == "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize("values", [{"api_key": "k"}, STATIC, {"chain": True}])
def test_without_a_region_it_says_where_to_set_one(values: Mapping[str, Any]) -> None:
    with pytest.raises(UsageError, match="bedrock: no region is known\n  set AWS_REGION"):
        accessed(values)


@pytest.mark.parametrize("region", ["us-east-1/evil", "evil.example", "US", "x@y"])
def test_a_region_cannot_lead_elsewhere(region: str) -> None:
    with pytest.raises(UsageError, match="is no region"):
        accessed({"api_key": "k", "region": region})


async def test_the_chain_reads_profiles(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "credentials").write_text(
        "[default]\naws_access_key_id = ONE\naws_secret_access_key = s1\n"
        "[dev]\naws_access_key_id = TWO\naws_secret_access_key = s2\n"
    )
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert scope(await signed(accessed({"chain": True})))[0] == "ONE"
    assert scope(await signed(accessed({"chain": True, "profile": "dev"})))[0] == "TWO"
    assert scope(await signed(accessed({"aws_profile": "dev"})))[0] == "TWO"
    monkeypatch.setenv("AWS_PROFILE", "dev")
    assert scope(await signed(accessed({"chain": "true"})))[0] == "TWO"


def test_a_profile_that_is_not_there_is_said() -> None:
    with pytest.raises(AuthenticationFailed, match=r"bedrock: The config profile \(none\) could not be found"):
        accessed({"profile": "none", "region": "us-east-1"})


def test_a_config_that_cannot_be_read_is_said(home: Path) -> None:
    (home / "config").write_text("no profile\n")
    with pytest.raises(AuthenticationFailed, match="bedrock: Unable to parse config file"):
        accessed({"chain": True, "region": "us-east-1"})


async def test_a_chain_that_finds_nothing_is_said() -> None:
    made = accessed({"chain": True, "region": "us-east-1"})
    with pytest.raises(AuthenticationFailed, match="bedrock: no credentials: boto3's chain found none"):
        await signed(made)


def process(home: Path, body: str) -> None:
    """A profile whose credentials a program gives out."""
    program = home / "creds.py"
    program.write_text(body)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (home / "config").write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")


async def test_credentials_are_refreshed_before_they_expire(home: Path) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {"Version": 1, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": soon}
    process(
        home,
        "import json, pathlib\n"
        f"count = pathlib.Path({str(home / 'count')!r})\n"
        "n = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(n))\n"
        f"print(json.dumps({{**{json.loads(json.dumps(given))!r}, 'AccessKeyId': f'KEY{{n}}'}}))\n",
    )
    made = accessed({"chain": True, "region": "us-east-1"})
    first, second = scope(await signed(made))[0], scope(await signed(made))[0]
    assert first.startswith("KEY")
    assert int(second.removeprefix("KEY")) > int(first.removeprefix("KEY"))


async def test_a_program_that_fails_is_said(home: Path) -> None:
    process(home, "raise SystemExit('the vault is shut')\n")
    with pytest.raises(AuthenticationFailed, match=r"bedrock: no credentials: .*the vault is shut"):
        await signed(accessed({"chain": True, "region": "us-east-1"}))


async def test_a_server_of_credentials_that_is_not_there_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import EndpointConnectionError  # type: ignore[import-untyped]

    made = accessed({"chain": True, "region": "us-east-1"})

    def unreachable(self: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://sts.amazonaws.com/")

    monkeypatch.setattr("botocore.session.Session.get_credentials", unreachable)
    with pytest.raises(ConnectionFailed, match="Could not connect to the endpoint URL"):
        await signed(made)


async def test_the_loop_goes_on_while_the_chain_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[threading.Thread] = []

    def credentials(self: object) -> Any:
        from botocore.credentials import Credentials  # type: ignore[import-untyped]

        asked.append(threading.current_thread())
        return Credentials("A", "s")

    monkeypatch.setattr("botocore.session.Session.get_credentials", credentials)
    await signed(accessed({"chain": True, "region": "us-east-1"}))
    assert len(asked) == 1
    assert asked[0] is not threading.current_thread()
