"""The source `aws` tells whether boto3's chain has something to begin with, and asks nobody for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from codetether import CredentialError, Secret
from codetether.testing.examine import examine
from codetether.testing.subjects import installed_subjects
from codetether_provider_bedrock.source import AwsChain, AwsSettings

KEYS = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = hidden\n"


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without anything of AWS."""
    for name in ("ACCESS_KEY_ID", "PROFILE", "DEFAULT_PROFILE", "WEB_IDENTITY_TOKEN_FILE", "BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("CONTAINER_CREDENTIALS_RELATIVE_URI", "CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path


def chain(source: str) -> Secret:
    return Secret(values={"chain": True}, source=f"aws:{source}")


async def test_where_nothing_is_it_has_none() -> None:
    assert (await AwsChain().get("bedrock", ()), await AwsChain().list()) == (None, ())


async def test_others_get_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "dev")
    assert await AwsChain().get("openai", ("OPENAI_API_KEY",)) is None
    assert await AwsChain().list() == ("bedrock",)


@pytest.mark.parametrize(
    ("variables", "source"),
    [
        ({"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_PROFILE": "dev"}, "AWS_ACCESS_KEY_ID"),
        (
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"},
            "AWS_WEB_IDENTITY_TOKEN_FILE",
        ),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2"}, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://x"}, "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ],
)
async def test_variables(variables: dict[str, str], source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert await AwsChain().get("bedrock", ()) == chain(source)


async def test_a_bearer_key_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-0123")
    monkeypatch.setenv("AWS_PROFILE", "dev")
    assert await AwsChain().get("bedrock", ()) == Secret(
        values={"api_key": "bedrock-api-key-0123"}, source="aws:AWS_BEARER_TOKEN_BEDROCK"
    )


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("credentials", f"[default]\n{KEYS}", True),
        ("credentials", f"[other]\n{KEYS}", False),
        ("credentials", "", False),
        ("config", "[default]\nregion = eu-central-1\n", False),
        ("config", "[default]\nsso_session = corp\ns3 =\n  max_concurrent_requests = 20\n", True),
        ("config", "[profile default]\ncredential_process = /bin/creds\n", True),
        ("config", "[default]\nregion = a\nregion = b\n", False),
    ],
)
async def test_files(file: str, text: str, found: bool, files: Path) -> None:
    (files / file).write_text(text)
    assert await AwsChain().get("bedrock", ()) == (chain(str(files / file)) if found else None)


async def test_a_file_that_cannot_be_read_is_said(files: Path) -> None:
    (files / "credentials").write_text("no profile\n")
    with pytest.raises(CredentialError, match="credentials cannot be read: it is no file of profiles"):
        await AwsChain().get("bedrock", ())
    (files / "credentials").write_bytes(b"\xff\xfe")
    with pytest.raises(CredentialError, match="cannot be read"):
        await AwsChain().get("bedrock", ())
    (files / "credentials").unlink()
    (files / "credentials").mkdir()
    with pytest.raises(CredentialError, match="cannot be read: Is a directory"):
        await AwsChain().get("bedrock", ())


async def test_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    dev = Secret(values={"profile": "dev"}, source="aws:profile dev")
    assert await AwsChain(AwsSettings(profile="dev")).get("bedrock", ()) == dev
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "dev")
    assert await AwsChain(AwsSettings(profile="other")).get("bedrock", ()) == dev
    monkeypatch.setenv("AWS_PROFILE", "first")
    assert await AwsChain().get("bedrock", ()) == Secret(values={"profile": "first"}, source="aws:profile first")


async def test_an_instances_role_is_a_setting() -> None:
    assert await AwsChain(AwsSettings(instance_role=True)).get("bedrock", ()) == chain("instance role")


def test_nothing_of_amazon_is_imported_to_find_out() -> None:
    found = (
        "import asyncio, sys; from codetether_provider_bedrock import plugin; [*plugin.codetether_providers()]; "
        "from codetether_provider_bedrock.source import AwsChain; asyncio.run(AwsChain().get('bedrock', ())); "
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in ('botocore', 'boto3', 'httpx')))"
    )
    ran = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


async def test_the_plugin_keeps_its_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "")  # what the trial sets is put back
    verdicts = await examine(installed_subjects(["bedrock"]))
    assert [f"{v.promise.name}: {v.why}" for v in verdicts if v.judged == "broken"] == []
    assert {v.promise.kind for v in verdicts if v.judged == "kept"} >= {"wires", "credential_sources", "providers"}
