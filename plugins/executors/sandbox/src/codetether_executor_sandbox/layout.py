"""What of the machine a confined command sees: system, programs, the workspace, and of that not everything."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import field, frozen
from codetether import ExecutorError

from codetether_executor_sandbox.words import words

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu", "/snap")
PARTS = (
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/var/lib/dpkg",
    "/var/lib/rpm",
    "/var/lib/ca-certificates",
    "/var/cache/fontconfig",
    "/run/current-system",
)
"""What programs read of places that are otherwise left out."""
HOME_PROGRAMS = words(
    ".asdf .bun .cabal .cargo .deno .dotnet .elan .gem .ghcup .goenv .gradle .ivy2 .jenv .julia .juliaup .local/bin "
    ".local/lib .local/share/fnm .local/share/mise .local/share/pipx .local/share/pnpm .local/share/pypoetry "
    ".local/share/uv .local/share/virtualenvs .local/share/zinit .m2 .nodenv .npm-global .nvm .opam .pyenv .rbenv "
    ".rustup .rvm .sdkman .stack .volta .yarn anaconda3 go miniconda3 miniforge3 .gitconfig .config/git/config "
    ".config/git/ignore .config/git/attributes .gitignore .gitignore_global .editorconfig"
)
SECRETS = words(
    ".ssh .gnupg .aws .azure .config/gcloud .config/gh .config/hub .config/op .config/rclone .config/git/credentials "
    ".config/doctl .config/containers .config/configstore .config/google-chrome .config/chromium .kube .docker "
    ".oci .terraform.d .password-store .mozilla .thunderbird .netrc .npmrc .yarnrc.yml .pypirc .pgpass .my.cnf "
    ".git-credentials .vault-token .boto .s3cfg .databrickscfg .bash_history .zsh_history .python_history "
    ".psql_history "
    ".node_repl_history .local/share/keyrings .local/share/kwalletd .cargo/credentials .cargo/credentials.toml "
    ".gem/credentials .m2/settings.xml .m2/settings-security.xml .gradle/gradle.properties .config/pypoetry/auth.toml "
    ".config/codetether .local/share/codetether .local/state/codetether .cache/codetether .claude .claude.json .codex "
    ".gemini .config/github-copilot .local/share/opencode"
)
"""Below the home directory: keys, tokens, logins, and the state of agents."""
SHELL_FILES = words(
    ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin .zlogout "
    ".kshrc .cshrc .tcshrc .inputrc .gitconfig .config/git .config/fish .config/systemd .config/autostart .local/bin"
)
"""Below the home directory: what runs when the user does something; guarded where home is the workspace."""
ROOT_ONLY = words(
    "/etc/shadow /etc/shadow- /etc/gshadow /etc/gshadow- /etc/sudoers /etc/sudoers.d /etc/ssl/private /etc/ssh "
    "/etc/security/opasswd /etc/krb5.keytab /etc/rancher /etc/kubernetes /etc/wireguard /etc/ppp /etc/polkit-1 "
    "/usr/local/etc/ssh /var/lib/rpm/.key"
)
"""Secrets that root's commands could read, though they have no privileges left."""


@frozen(kw_only=True)
class Layout:
    """Where commands may go. All paths are absolute and resolved.

    Attributes:
        workspace: may be written.
        readable, writable: further trees, parents before children.
        hidden: what of those trees may not be read.
        home: an empty directory that is gone with the command, unless the workspace holds it.
    """

    workspace: Path
    home: Path
    links: tuple[tuple[str, str], ...] = ()
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = field(default=())

    @property
    def home_is_private(self) -> bool:
        """Whether the home directory is none of the user's."""
        return not inside(self.home, self.workspace)

    def sees(self, path: Path) -> bool:
        """Whether a directory is there for a command."""
        trees = (str(self.workspace), *self.readable, *self.writable)
        return any(inside(path, tree) for tree in trees) and not any(inside(path, hidden) for hidden in self.hidden)


def inside(path: Path | str, tree: Path | str) -> bool:
    """Whether the path is the tree or lies in it; both absolute and normal."""
    return f"{path}/".startswith(f"{str(tree).rstrip('/')}/")


def plan(
    workspace: Path,
    *,
    home: Path,
    path: Sequence[str],
    prefixes: Iterable[str] = (),
    readable: Iterable[str] = (),
    writable: Iterable[str] = (),
    own: Iterable[Path] = (),
    root: bool = False,
) -> Layout:
    """The layout for a workspace. `path`: where programs are looked for; `own`: directories of codetether.

    Raises ExecutorError for a workspace that holds the system itself, or that the system holds.
    """
    if workspace == Path("/") or any(inside(Path(each), workspace) or inside(workspace, Path(each)) for each in SYSTEM):
        raise ExecutorError(
            f"{workspace} cannot be a sandbox's workspace: it is part of the system",
            remedy="Start in the directory of a project.",
        )
    system, links = _system()
    programs = _programs(home, path, prefixes)
    wanted = (_real(os.path.expanduser(each)) for each in readable)  # noqa: PTH111 - a person wrote it
    seen = [*system, *PARTS, *programs, *_repository(workspace, home), *_shared_repository(workspace), *wanted]
    writes = tuple(_real(os.path.expanduser(each)) for each in writable)  # noqa: PTH111
    linked = [Path(link) for _, link in links]
    trees = _outermost(
        each for each in seen if os.access(each, os.R_OK) and not any(inside(Path(each), link) for link in linked)
    )
    visible = [Path(each) for each in (*trees, *writes, str(workspace))]
    secrets = [home / each for each in SECRETS] + [Path(os.path.realpath(each)) for each in own]
    secrets += [Path(each) for each in ROOT_ONLY] if root else []
    hidden = [str(s) for s in secrets if any(inside(s, tree) for tree in visible) and os.path.lexists(s)]
    return Layout(
        workspace=workspace,
        home=home,
        links=tuple(links),
        readable=trees,
        writable=writes,
        hidden=tuple(dict.fromkeys(each for each in hidden if not inside(workspace, Path(each)))),
    )


def _system() -> tuple[list[str], list[tuple[str, str]]]:
    trees, links = [], []
    for each in SYSTEM:
        if os.path.islink(each):  # noqa: PTH114 - /lib -> usr/lib, as on most distributions
            links.append((os.readlink(each), each))  # noqa: PTH115
        elif os.path.isdir(each):  # noqa: PTH112
            trees.append(each)
    return trees, links


def _programs(home: Path, path: Sequence[str], prefixes: Iterable[str]) -> Iterator[str]:
    """Where programs live outside of the system: what PATH names, with what belongs to it, and usual places at home."""
    for each in HOME_PROGRAMS:
        yield str(home / each)
    for place in path:
        if place.startswith("/"):
            yield from _installation(Path(place), home)
    for prefix in prefixes:
        yield from _installation(Path(prefix) / "bin", home)


def _installation(place: Path, home: Path) -> Iterator[str]:
    tree = place.parent if place.name in ("bin", "sbin", "shims", "condabin", "Scripts") else place
    if inside(home, tree) or len(tree.parts) < 3 or tree == home / ".local":
        tree = place  # no more than that: what lies beside it is no program
    yield from dict.fromkeys((str(tree), _real(str(tree))))
    configuration = tree / "pyvenv.cfg"  # a virtual environment, whose interpreter lives elsewhere
    if configuration.is_file():
        for line in configuration.read_text(errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "home" and value.strip() != str(place):
                yield from _installation(Path(value.strip()), home)


def _repository(workspace: Path, home: Path) -> Iterator[str]:
    """The git repository around the workspace, so that git works in a part of it."""
    for place in workspace.parents:
        if inside(home, place) or len(place.parts) < 2:
            return
        if (place / ".git").is_dir():
            yield str(place)
            return


def _shared_repository(workspace: Path) -> Iterator[str]:
    """The repository of a git worktree, to be read, if it knows the worktree as its own."""
    link = workspace / ".git"
    try:
        named = link.read_text().removeprefix("gitdir:").strip()
        own = (workspace / named).resolve()
        known = (own / "gitdir").read_text().strip() == str(link)
        shared = (own / (own / "commondir").read_text().strip()).resolve()
    except (OSError, ValueError):
        return
    if known and shared.name == ".git":
        yield str(shared)


def _real(path: str) -> str:
    return os.path.realpath(path)


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Those that lie in no other one, in order."""
    made: list[str] = []
    for each in sorted(dict.fromkeys(paths)):
        if not any(inside(Path(each), Path(other)) for other in made):
            made.append(each)
    return tuple(made)
