"""The environment of a confined command: known names only, and none whose value holds a key."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path

from codetether_executor_sandbox.layout import inside
from codetether_executor_sandbox.words import words

PASSED = words(
    "PATH HOME USER LOGNAME SHELL LANG LANGUAGE LC_* TZ TERM COLORTERM NO_COLOR FORCE_COLOR CLICOLOR COLUMNS LINES "
    "CI DEBIAN_FRONTEND SOURCE_DATE_EPOCH VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV PYTHONDONTWRITEBYTECODE "
    "PYTHONUNBUFFERED PYTHONHASHSEED PYTHONUTF8 PYTHONIOENCODING PYENV_ROOT PYENV_VERSION PIPENV_* "
    "POETRY_VIRTUALENVS_* "
    "UV_PYTHON UV_CACHE_DIR NODE_ENV NODE_OPTIONS NVM_DIR NVM_BIN VOLTA_HOME BUN_INSTALL PNPM_HOME JAVA_HOME JDK_HOME "
    "M2_HOME MAVEN_HOME GRADLE_HOME SDKMAN_DIR GOPATH GOROOT GOFLAGS GOMODCACHE CARGO_HOME RUSTUP_HOME "
    "RUSTUP_TOOLCHAIN "
    "RUST_BACKTRACE RUSTFLAGS GEM_HOME GEM_PATH RBENV_ROOT RBENV_VERSION ASDF_DIR ASDF_DATA_DIR DOTNET_ROOT "
    "ANDROID_HOME "
    "CC CXX CFLAGS CXXFLAGS LDFLAGS MAKEFLAGS CMAKE_PREFIX_PATH PKG_CONFIG_PATH LD_LIBRARY_PATH NIX_PROFILES NIX_PATH "
    "NIX_SSL_CERT_FILE SSL_CERT_FILE SSL_CERT_DIR XDG_DATA_DIRS INFOPATH MANPATH"
)
"""What programs need to find each other and to speak the user's language; `*` at the end stands for any more."""
QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true", "GIT_OPTIONAL_LOCKS": "0", "TMPDIR": "/tmp"}
_SHORT = 8
"""Characters below which a value is too common to be looked for in others."""


def clean_environment(
    ours: Mapping[str, str], *, keys: Iterable[str], more_names: Collection[str], workspace: Path
) -> dict[str, str]:
    """What of our own environment a command gets. `keys`: values that must not stand in any of it."""
    names = (*PASSED, *more_names)
    hidden = {key for key in keys if len(key) >= _SHORT}
    passed = {
        name: value for name, value in ours.items() if _fits(name, names) and not any(key in value for key in hidden)
    }
    return {**passed, **QUIET, "PATH": os.pathsep.join(search_path(ours.get("PATH", ""), workspace))}


@cache
def _fits(variable: str, names: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(variable, each) for each in names)


@cache
def search_path(path: str, workspace: Path) -> tuple[str, ...]:
    """The directories in which programs are looked for: absolute ones, and never the workspace itself."""
    found = [each for each in path.split(os.pathsep) if each.startswith("/") and Path(each) != workspace]
    return tuple(dict.fromkeys(found)) or ("/usr/local/bin", "/usr/bin", "/bin")


def program_file(name: str, path: str, workspace: Path) -> str | None:
    """The absolute path of a program, outside the workspace; None where there is none."""
    for place in path.split(os.pathsep):
        candidate = os.path.join(place, name)  # noqa: PTH118 - as text, for the kernel
        runs = os.path.isfile(candidate) and os.access(candidate, os.X_OK)  # noqa: PTH113
        if runs and not inside(os.path.realpath(place), workspace):
            return candidate
    return None


def values_of_keys(withheld: Collection[str]) -> tuple[str, ...]:
    """The values of those of our own variables that hold keys, by their names."""
    from codetether import LocalExecutor

    kept = LocalExecutor(withheld=withheld).environment()
    return tuple(value for name, value in os.environ.items() if name not in kept)
