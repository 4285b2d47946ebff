"""Stories about where requests may go: rows N01, N02, N05 and N06 of the attacks."""

from __future__ import annotations

import pytest
from codetether_tools_web.addresses import is_metadata, is_public, parse
from codetether_tools_web.failures import Refused
from codetether_tools_web.network import Border
from codetether_tools_web.targets import read_target

LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST.",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[2002:7f00:1::]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[4000::1]",
    "[2001:db8::5efe:7f00:1]",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[fc00::1]",
    "[fd12::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[2002:c0a8:101::]",
    "[64:ff9b::10.0.0.1]",
    "[::ffff:10.0.0.1]",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "2852039166",
    "0xa9fea9fe",
    "[::ffff:169.254.169.254]",
    "[2002:a9fe:a9fe::]",
    "[64:ff9b::a9fe:a9fe]",
    "[::ffff:0:a9fe:a9fe]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
]


async def refused(url: str, *private: str) -> str:
    """Why nobody may go there."""
    try:
        target = read_target(url)
        found = await Border(private).addresses(target.host, target.port)
    except Refused as refused_:
        return str(refused_)
    return f"reached at {found}"


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE])
async def test_N01_what_is_not_public_is_refused_in_each_spelling(host: str) -> None:
    assert "no public address" in await refused(f"http://{host}/")


async def test_N02_metadata_is_refused_also_where_private_hosts_are_allowed() -> None:
    for host in METADATA:
        target = read_target(f"http://{host}/")
        assert "never reached" in await refused(f"http://{host}/", target.place)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2002:101:101::", "::ffff:8.8.8.8"])
def test_what_is_public_is_public(address: str) -> None:
    assert (is_public(parse(address)), is_metadata(parse(address))) == (True, False)


async def test_a_private_place_is_allowed_with_its_port_only() -> None:
    border = Border(["127.0.0.1:8000"])
    assert await border.addresses("127.0.0.1", 8000) == ["127.0.0.1"]
    with pytest.raises(Refused, match=r'allow_private = \["127.0.0.1:8001"\]'):
        await border.addresses("127.0.0.1", 8001)


async def test_N04_a_name_with_one_private_address_is_refused_whole() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.7"]

    with pytest.raises(Refused, match=r"docs\.example \(10\.0\.0\.7\) is no public address"):
        await Border(resolve=resolve).addresses("docs.example", 443)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("HTTP://Docs.Example./A b?q=ü#part", "http://docs.example/A%20b?q=%C3%BC"),
        ("https://docs.example:443", "https://docs.example/"),
        ("http://docs.example:8080/", "http://docs.example:8080/"),
        ("http://\u0440\u0430\u0443\u0440\u0430l.example/", "http://xn--l-7sba6dbr.example/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://docs。example/", "http://docs.example/"),
        ("http://[::FFFF:1.2.3.4]/", "http://[::ffff:102:304]/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("  http://docs.example/\n", "http://docs.example/"),
    ],
)
def test_N06_an_address_has_one_spelling(url: str, read: str) -> None:
    assert str(read_target(url)) == read


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.example@evil.example/",
        "http://user:word@docs.example/",
        "http://evil.example\\@docs.example/",
        "http://docs.example\\.evil.example/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://a\tb.example/",
        "http://a\nb.example/",
        "http://a b.example/",
        "http://exa%6dple.example/",
        "http://docs\u200b.example/",
        "http://a..b/",
        "http://-docs.example/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://docs.example:99999/",
        "http://docs.example:0/",
        "http://1.2.3.4.5/",
        "http://999.1.1.1/",
        "http://0177.0.0.1/",
        "http:///path",
        "http:docs.example",
        "docs.example",
        "file:///etc/passwd",
        "ftp://docs.example/",
        "gopher://docs.example/",
        "data:text/html,hello",
        "javascript:alert(1)",
        "unix:/var/run/docker.sock",
        "http://" + "a" * 300 + ".example/",
        "http://docs.example/" + "a" * 9000,
    ],
)
def test_N06_an_address_that_could_be_read_in_two_ways_is_none(url: str) -> None:
    with pytest.raises(Refused):
        read_target(url)


def test_N05_rules_see_the_host_that_is_asked() -> None:
    hosts = [
        "https://docs.example.evil/",
        "https://evildocs.example/",
        "https://docs.example:8443/",
        "https://DOCS.example",
    ]
    assert [read_target(url).authority for url in hosts] == [
        "docs.example.evil",
        "evildocs.example",
        "docs.example:8443",
        "docs.example",
    ]
