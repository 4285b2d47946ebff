"""What `[plugins.sandbox]` holds."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

BackendName = Literal["auto", "bwrap", "landlock", "seatbelt", "none"]
PROTECTED = (
    ".codetether",
    ".git/hooks",
    ".git/config",
    ".git/config.worktree",
    ".git/commondir",
    ".git/modules",
    ".gitmodules",
    ".gitconfig",
    ".githooks",
    ".husky",
    ".envrc",
    ".mcp.json",
    ".vscode",
    ".idea",
    ".devcontainer",
    ".github/workflows",
    ".github/actions",
    ".gitlab-ci.yml",
    ".circleci",
    ".pre-commit-config.yaml",
)
"""What makes programs run later, or says what codetether may do: no command changes it."""


@frozen(kw_only=True)
class SandboxSettings:
    """`[plugins.sandbox]`.

    Attributes:
        backend: `auto` takes bubblewrap, or says that it cannot be had and takes Landlock; `none` is only typed.
        require: properties without which no command runs; see `codetether doctor` for all of them.
        hosts: `name` or `name:port` that commands may reach through a proxy, `*.name` for what is below it; port 443.
        readable, writable: directories beyond the workspace and the programs' own.
        protected: paths in the workspace that no command changes, beyond the usual ones.
        hidden: names in the workspace that no command reads, e.g. `.env`; globs, at any depth.
        environment: names of variables to pass on beyond the usual ones; `*` at the end stands for any more.
        sockets: `udp` and `unix` where programs need them; TCP within the sandbox is always there with bubblewrap.
        memory: bytes a process may take; of all together where cgroups can be written.
        file_size: bytes of the longest file that can be written. scratch: bytes of the private /tmp.
        processes: that may live at a time.
    """

    backend: BackendName = field(default="auto", metadata={"env": "CODETETHER_SANDBOX"})
    require: tuple[str, ...] = ("writes", "network", "environment", "secrets", "survivors", "privileges")
    hosts: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    sockets: tuple[Literal["udp", "unix"], ...] = ()
    memory: int = 4_000_000_000
    file_size: int = 1_000_000_000
    scratch: int = 1_000_000_000
    processes: int = 1024
