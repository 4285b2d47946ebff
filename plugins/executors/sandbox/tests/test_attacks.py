"""Attacks from within: each row of the list of attacks with what it may not do, seen from outside."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from pathlib import Path

import pytest

from .conftest import PYTHON, Ground

SOCKETS = """
import socket
for family, kind, protocol in {tried}:
    try:
        socket.socket(family, kind, protocol)
        print("OPEN", family, kind, protocol)
    except OSError as error:
        print(error.errno)
"""
CONNECT = """
import socket
for address in ({!r}, {!r}):
    try:
        socket.socket(socket.AF_UNIX).connect(address)
        print("IN", address)
    except OSError as error:
        print(error)
"""
TYPING = """
import fcntl, os
for number in (0x5412, 0x541C):
    try:
        fcntl.ioctl(0, number, b"x")
        print("IN")
    except OSError as error:
        print(error.errno)
print([os.isatty(n) for n in range(3)])
try:
    os.open("/dev/tty", 2)
    print("IN")
except OSError:
    print("no tty")
"""
SYSTEM_CALLS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for call in {calls}:
    print(libc.syscall(*call), ctypes.get_errno())
"""
KERNEL_FILES = """
import glob, os
for name in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches",
             "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper",
             *glob.glob("/sys/fs/cgroup/**/release_agent", recursive=True)):
    try:
        os.open(name, os.O_WRONLY)  # to open is enough: nothing is written, should it succeed
        print("IN", name)
    except OSError:
        pass
print("tried")
"""


async def test_S01_a_missing_protected_file_cannot_be_made(bwrap: Ground) -> None:
    done = await bwrap.bash(
        "mkdir -p .codetether .git/hooks; echo x > .codetether/config.toml; echo x > .git/hooks/pre-commit"
    )
    assert done.exit_code != 0
    assert os.listdir(bwrap.workspace) == []  # noqa: PTH208


async def test_S01_an_existing_protected_file_cannot_be_changed(bwrap: Ground) -> None:
    names = (".git/config", ".git/hooks/pre-commit", ".codetether/config.toml", ".envrc", ".vscode/tasks.json")
    files = [bwrap.file(bwrap.workspace / name, "mine") for name in names]
    bwrap.file(bwrap.workspace / ".git" / "HEAD", "ref: refs/heads/main\n")
    done = await bwrap.bash(
        f"for f in {' '.join(names)}; do echo x > $f; mv $f other; rm -f $f; done; mv .git moved; mv .codetether moved;"
        " rm -rf .vscode; echo x > .git/config.lock && mv .git/config.lock .git/config; echo fine > .git/HEAD"
    )
    assert [file.read_text() for file in files] == ["mine"] * 5
    assert (bwrap.workspace / ".git" / "HEAD").read_text() == "fine\n", done


async def test_S01_what_landlock_cannot_shut_is_put_back(landlock: Ground) -> None:
    config = landlock.file(landlock.workspace / ".git" / "config", "mine")
    done = await landlock.bash(
        "echo x > .git/config; mkdir .codetether .git/hooks; echo x > .git/hooks/pre-commit; echo 1 > .envrc"
    )
    assert config.read_text() == "mine"
    assert sorted(os.listdir(landlock.workspace)) == [".git"]  # noqa: PTH208
    assert b"put back" in done.stdout


@pytest.mark.parametrize("name", [".codetether", ".git", ".vscode", ".github"])
async def test_S02_a_link_in_the_place_of_a_protected_directory_leads_nowhere(ground: Ground, name: str) -> None:
    await ground.bash(f"ln -s {ground.outside} {name}")
    await ground.bash(f"mkdir -p {name}/workflows; echo x > {name}/config.toml; echo x > {name}/workflows/x.yml")
    assert os.listdir(ground.outside) == []  # noqa: PTH208
    left = ground.workspace / name
    assert name == ".github" or not (left.exists() or left.is_symlink())


async def test_S02_a_protected_link_is_put_back(ground: Ground) -> None:
    (ground.workspace / "hooks").mkdir()
    (ground.workspace / ".githooks").symlink_to("hooks")
    os.chown(ground.workspace / "hooks", ground.user, ground.user)
    await ground.bash("rm .githooks; mkdir .githooks; echo x > .githooks/pre-commit")
    assert (ground.workspace / ".githooks").readlink() == Path("hooks")


@pytest.mark.parametrize("name", ["CANARY", "SOME_API_KEY", "AWS_SECRET_ACCESS_KEY"])
async def test_S03_no_environment_holds_what_ours_does(
    ground: Ground, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "canary-4f9d1c7ab2e8")
    done = await ground.bash("env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'")
    assert b"canary-4f9d1c7ab2e8" not in done.stdout
    assert b"PATH=" in done.stdout


async def test_S03_a_key_under_another_name_is_withheld(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    from codetether_executor_sandbox.environment import clean_environment, values_of_keys

    monkeypatch.setenv("ODD_API_KEY", "canary-4f9d1c7ab2e8")
    monkeypatch.setenv("NODE_OPTIONS", "--key=canary-4f9d1c7ab2e8")
    made = clean_environment(os.environ, keys=values_of_keys(()), more_names=["NODE_*"], workspace=ground.workspace)
    assert "NODE_OPTIONS" not in made


async def test_S04_there_are_no_namespaces_within(ground: Ground) -> None:
    (ground.workspace / ".git").mkdir()
    done = await ground.bash(
        "unshare -Urm mount -t tmpfs x .git; unshare -Ur true && echo IN; unshare -m true && echo IN"
    )
    assert b"IN" not in done.stdout
    done = await ground.bash("grep -c . /proc/self/uid_map; mount -t tmpfs x . && echo IN")
    assert b"IN" not in done.stdout


async def test_S05_no_socket_of_the_host_can_be_reached(ground: Ground) -> None:
    path, name = str(ground.outside / "s"), f"sandbox-{os.getpid()}"
    readable = ground.with_settings(
        readable=(str(ground.outside),), sockets=("unix",) if ground.backend == "bwrap" else ()
    )
    with socket.socket(socket.AF_UNIX) as by_path, socket.socket(socket.AF_UNIX) as by_name:
        by_path.bind(path)
        by_path.listen()
        os.chmod(path, 0o777)  # noqa: PTH101
        by_name.bind("\0" + name)
        by_name.listen()
        reach = CONNECT
        done = await ground.python(reach.format(path, "\0" + name))
        assert b"IN" not in done.stdout, done
        done = await readable.python(reach.format("/nowhere", "\0" + name))
        assert b"IN" not in done.stdout, done
        for each in (by_path, by_name):
            each.settimeout(0)
            with pytest.raises(BlockingIOError):
                each.accept()
    done = await ground.bash(
        "ls /var/run/docker.sock /run/docker.sock /run/dbus; echo [$SSH_AUTH_SOCK$DBUS_SESSION_BUS_ADDRESS]"
    )
    assert done.stdout.endswith(b"[]\n")


async def test_S06_only_plain_sockets_can_be_had(ground: Ground) -> None:
    raw, datagrams, others = [(2, 3, 1), (10, 3, 58)], [(2, 2, 0), (10, 2, 0)], [(40, 1, 0), (17, 3, 0), (31, 3, 1)]
    odd = [*raw, *datagrams, *others, (2, 1, 132), (2, 5, 132), (16, 3, 15), (38, 5, 0), (29, 3, 1), (1, 1, 0)]
    done = await ground.python(SOCKETS.format(tried=odd))
    assert done.stdout.split() == [b"1"] * len(odd), done


async def test_S07_there_is_no_io_uring(ground: Ground) -> None:
    done = await ground.python(SYSTEM_CALLS.format(calls=[(425, 8, bytes(200))]))
    assert done.stdout == b"-1 1\n"


async def test_S08_nothing_is_typed_on_a_terminal(ground: Ground) -> None:
    done = await ground.python(TYPING)
    assert done.stdout == b"1\n1\n[False, False, False]\nno tty\n"


async def test_S09_the_agent_is_out_of_reach(ground: Ground) -> None:
    other = ground.user if ground.user != os.geteuid() else None
    victim = await asyncio.create_subprocess_exec("sleep", "60", env={"CANARY": "canary-4f9d1c7a"}, user=other)
    pid = victim.pid
    try:
        tried = await ground.bash(
            f"kill -STOP {pid}; kill -9 {pid}; cat /proc/{pid}/environ; head -c 1 /proc/{pid}/mem && echo IN;"
            f" ls -l /proc/{pid}/cwd/ && echo IN"
        )
        called = await ground.python(SYSTEM_CALLS.format(calls=[(101, 0x4206, pid, 0, 0), (310, pid, 0, 0, 0, 0, 0)]))
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    finally:
        victim.kill()
        await victim.wait()
    assert (state, b"canary" in tried.stdout, b"IN" in tried.stdout) == ("S", False, False)
    assert called.stdout == b"-1 1\n-1 1\n"


DAEMON = """
import os, sys
if os.fork(): sys.exit()
os.setsid()
if os.fork(): os._exit(0)
os.closerange(0, 64)
os.execve("/bin/sh", ["sh", "heart"], {})
"""
STARTS = {
    "setsid": "setsid sh heart &",
    "nohup": "nohup sh heart > /dev/null 2>&1 &",
    "twice": "(setsid sh heart > /dev/null 2>&1 < /dev/null &) &",
    "daemon": f"{PYTHON} -I -c '{DAEMON}'",
    "schedulers": "echo sh heart | at now; echo '* * * * * sh heart' | crontab -; systemd-run --user sh heart; true",
}


@pytest.mark.parametrize("end", ["exits", "times out", "is cancelled"])
async def test_S10_nothing_survives(ground: Ground, end: str) -> None:
    """All ways to start what should survive at once, each with a heart of its own."""
    last, limit = ("sleep 0.3", 20.0) if end == "exits" else ("sleep 30", 1.2 if end == "times out" else 20.0)
    tasks = []
    for start, line in STARTS.items():
        beats = f"while sleep 0.02; do echo >> {ground.workspace}/{start}.beat; done\n"
        ground.file(ground.workspace / f"{start}.heart", beats)
        command = f"{line.replace('heart', f'{start}.heart')}\n{last}"
        tasks.append(asyncio.create_task(ground.bash(command, timeout=limit)))
    if end == "is cancelled":
        await asyncio.sleep(1.2)
        for task in tasks:
            task.cancel()
    began = time.monotonic()
    await asyncio.wait(tasks)
    assert time.monotonic() - began < 4
    sizes = _sizes(ground)
    await asyncio.sleep(0.1)
    assert (set(sizes), _sizes(ground)) == (STARTS.keys() - {"schedulers"}, sizes)


def _sizes(ground: Ground) -> dict[str, int]:
    """How often each heart has beaten."""
    return {file.stem: file.stat().st_size for file in ground.workspace.glob("*.beat")}


async def test_S11_nobody_becomes_root(ground: Ground) -> None:
    done = await ground.bash(
        "cp /bin/bash own; chmod u+s own; ./own -p -c 'grep CapEff /proc/self/status'; sudo -n id;"
        " su -c id < /dev/null; pkexec id;"
        " grep -E 'CapEff|CapPrm|NoNewPrivs' /proc/self/status"
    )
    lines = [line.split() for line in done.stdout.decode().splitlines() if line.startswith(("Cap", "NoNew"))]
    assert {tuple(line) for line in lines} == {("CapEff:", "0" * 16), ("CapPrm:", "0" * 16), ("NoNewPrivs:", "1")}
    assert b"uid=0" not in done.stdout or ground.user == 0


async def test_S12_metadata_outside_stays(bwrap: Ground) -> None:
    file = bwrap.file(bwrap.outside / "f", "x")
    before = file.stat()
    await bwrap.with_settings(readable=(str(bwrap.outside),)).bash(
        f"chmod 777 {file}; touch -d 2001-01-01 {file}; setfattr -n user.x -v 1 {file};"
        f" chown 1:1 {file}; mv {file} {file}2; rm -f {file}"
    )
    after = file.stat()
    assert (before.st_mode, before.st_mtime_ns, before.st_uid) == (after.st_mode, after.st_mtime_ns, after.st_uid)


async def test_S12_landlock_says_that_it_does_not_cover_metadata(landlock: Ground) -> None:
    from codetether_executor_sandbox.landlock import LACKS

    assert set(LACKS) == {"protected", "metadata", "processes"}


@pytest.mark.parametrize("place", ["W", ".", "W:.", "W/bin"])
async def test_S16_programs_of_the_workspace_are_not_taken_for_ours(
    ground: Ground, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for directory in (ground.workspace, ground.workspace / "bin"):
        for name in ("bwrap", "bash", "prlimit", "python3", "sh"):
            ground.file(directory / name, f"#!/bin/sh\ntouch {ground.workspace}/taken\n").chmod(0o755)
    monkeypatch.chdir(ground.workspace)
    path = ":".join(str(ground.workspace / p[2:]) if p.startswith("W") else p for p in place.split(":"))
    from attrs import evolve

    done = await evolve(ground, ours={"PATH": f"{path}:/usr/bin:/bin"}).bash("echo fine")
    assert done.stdout == b"fine\n"
    assert not (ground.workspace / "taken").exists()


async def test_S17_only_three_descriptors_are_open(ground: Ground) -> None:
    kept, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    done = await ground.bash("ls /proc/self/fd")
    os.close(kept)
    os.close(theirs)
    assert done.stdout.split() == [b"0", b"1", b"2", b"3"], "the last is the listing's own"


async def test_S18_the_kernels_own_files_are_read_only(ground: Ground) -> None:
    done = await ground.python(KERNEL_FILES)
    assert done.stdout == b"tried\n"


async def test_P29_network_devices_of_bash_reach_nothing(ground: Ground) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = await ground.bash(
            f"cat < /dev/tcp/127.0.0.1/{port} && echo IN; echo x > /dev/udp/127.0.0.1/{port} && echo IN"
        )
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert b"IN" not in done.stdout


SECRETS = (".ssh/id_rsa", ".aws/credentials", ".netrc", ".config/gh/hosts.yml", ".vault-token", "notes.txt")


async def test_K_secrets_at_home_are_not_there(ground: Ground) -> None:
    secrets = [ground.home / name for name in (*SECRETS, ".config/codetether/config.toml")]
    for secret in secrets:
        ground.file(secret, f"canary-4f9d1c7a of {secret.name}\n")
    tried = "; ".join(f"cat {secret}; cat ~/{secret.relative_to(ground.home)}" for secret in secrets)
    names = " -o ".join(f"-name {secret.name}" for secret in secrets)
    tried += f"; find / \\( {names} \\) -exec cat {{}} + 2>/dev/null"
    assert b"canary" not in (await ground.bash(tried)).stdout
    shown = await ground.with_settings(readable=(str(ground.home),)).bash(tried)
    assert set(re.findall(rb"canary-4f9d1c7a of [\w.-]+", shown.stdout)) == {b"canary-4f9d1c7a of notes.txt"}


async def test_K_secrets_are_hidden_where_home_is_the_workspace(bwrap: Ground) -> None:
    secret = bwrap.file(bwrap.workspace / ".ssh" / "id_rsa", "canary-4f9d1c7a")
    bwrap.file(bwrap.workspace / ".env", "canary-4f9d1c7a")
    bwrap.file(bwrap.workspace / "a" / "b" / ".env", "canary-4f9d1c7a")
    done = await at_home(bwrap).bash(f"cat {secret} .env a/b/.env; rm -rf .ssh; echo x > .ssh/authorized_keys")
    assert b"canary" not in done.stdout
    assert secret.read_text() == "canary-4f9d1c7a"


def at_home(ground: Ground) -> Ground:
    """The same with the home directory as its workspace, and .env hidden."""

    class Home(Ground):
        @property
        def home(self) -> Path:
            return self.workspace

        @property
        def own(self) -> Path:
            return self.workspace / ".config" / "codetether"

    settings = ground.with_settings(hidden=(".env",)).settings
    return Home(backend=ground.backend, place=ground.place, user=ground.user, settings=settings)


async def test_R01_memory_is_limited(ground: Ground) -> None:
    done = await ground.with_settings(memory=300_000_000).python("print(len(bytearray(10**9)))")
    assert b"MemoryError" in done.stdout


async def test_R02_the_length_of_files_is_limited_and_tmp_is_private(ground: Ground) -> None:
    name = f"mark-{os.getpid()}"
    done = await ground.with_settings(file_size=1_000_000, scratch=2_000_000).bash(
        f"head -c 9000000 /dev/zero > big; for i in 1 2 3 4; do head -c 900000 /dev/zero > $TMPDIR/$i; done;"
        f" touch /tmp/{name}; true"
    )
    assert (ground.workspace / "big").stat().st_size <= 1_000_000, done
    assert not Path("/tmp", name).exists()


async def test_R_processes_are_limited(bwrap: Ground) -> None:
    if bwrap.user == 0:
        pytest.skip("the kernel counts no processes of root by rlimit; control groups do, where they can be written")
    done = await bwrap.with_settings(processes=20).bash("for i in $(seq 60); do sleep 5 & done; wait", timeout=2.0)
    assert b"Resource temporarily unavailable" in done.stdout or b"retry" in done.stdout


async def test_R05_nobody_is_waited_for(ground: Ground) -> None:
    began = time.monotonic()
    done = await ground.bash("cat; python3 -i < /dev/stdin; read x; echo end")
    assert done.stdout.endswith(b"end\n")
    assert time.monotonic() - began < 5
