"""Knows the options by which programs run code, or read and write what they were not given."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise

from codetether.permissions.options import base, names

CODE: Mapping[str, frozenset[str]] = {
    "python": names("-c -"),
    "node": names("-e -p -r --eval --print --require --import --loader --experimental-loader -"),
    "ruby": names("-e -r -"),
    "perl": names("-e -E -M -m -I -d -"),
    "php": names("-r -B -R -E -d -"),
    "lua": names("-e -l -"),
    "deno": names("eval repl"),
    "bun": names("-e -p --eval --print --preload -r"),
    "osascript": names("-e"),
    "tar": names(
        "--checkpoint-action --to-command --use-compress-program --rsh-command --rmt-command --info-script"
        " --new-volume-script -I -F -P --absolute-names"
    ),
    "vim": names("-c --cmd -S -s -u -U -w -W -i --remote-expr --remote-send -E -e"),
    "emacs": names("--eval --execute --load --script --batch --funcall -l -f"),
    "ssh": names("-o -F -I -J -E -S -W -L -R -D -w"),
    "scp": names("-o -F -S -D -i -J"),
    "rsync": names("-e --rsh --rsync-path --files-from --log-file --write-batch --remove-source-files --delete"),
    "git": names(
        "-c --config-env --exec-path --git-dir --work-tree --upload-pack --receive-pack --exec --output"
        " --output-directory --open-files-in-pager --extcmd --ext-diff --template --config --remote"
        " --sendmail-cmd --smtp-server --gpg-sign --no-index --tool --upload-archive"
    ),
    "npm": names(
        "--script-shell --prefix -C --dir --cwd --node-options --userconfig --globalconfig --shell --global -g"
    ),
    "make": names("--eval -f --file --makefile -C --directory -I --include-dir -E"),
    "curl": names(
        "-o -O -K -c -D --output --remote-name --remote-name-all --remote-header-name -J --config --cookie-jar"
        " --dump-header --trace --trace-ascii --stderr --libcurl --hsts --etag-save --alt-svc --output-dir -T"
        " --upload-file --unix-socket --abstract-unix-socket"
    ),
    "wget": names(
        "-O -o -P -e -i -a --output-document --output-file --directory-prefix --execute --input-file --use-askpass"
        " --config --append-output --post-file --body-file"
    ),
    "go": names("-exec -toolexec -vettool --exec --toolexec --vettool"),
    "zip": names("-T -TT --test --unzip-command"),
    "sort": names("--compress-program"),
    "split": names("--filter"),
    "gcc": names("-wrapper -specs -B -fplugin"),
    "apt": names("-o --option -c --config-file"),
    "cargo": names("--config -Z"),
    "pip": names("-r --requirement --index-url -i --extra-index-url --find-links -f --target -t --config-settings"),
    "man": names("-P -H -C --pager --html --config-file"),
    "less": names("-k -o -O --log-file --lesskey-file --lesskey-src"),
    "rg": names("--pre --hostname-bin --search-zip -z"),
    "dig": names("-f"),
    "docker": names("-v --volume --mount --privileged --pid --cap-add --device --security-opt --userns"),
}
ALIKE = {
    **dict.fromkeys(names("python2 python3 pypy pypy3"), "python"),
    **dict.fromkeys(names("vi nvim view ex gvim vimdiff rvim"), "vim"),
    **dict.fromkeys(names("yarn pnpm"), "npm"),
    **dict.fromkeys(names("sftp"), "scp"),
    **dict.fromkeys(names("slogin autossh mosh"), "ssh"),
    **dict.fromkeys(names("luajit"), "lua"),
    **dict.fromkeys(names("gmake bmake"), "make"),
    **dict.fromkeys(names("nodejs"), "node"),
    **dict.fromkeys(names("pip3"), "pip"),
    **dict.fromkeys(names("bsdtar gtar"), "tar"),
    **dict.fromkeys(names("podman"), "docker"),
    **dict.fromkeys(names("more most"), "less"),
    **dict.fromkeys(names("apt-get aptitude"), "apt"),
    **dict.fromkeys(names("cc g++ c++ clang clang++"), "gcc"),
}


_OF_FILES = names("curl wget docker podman pip pip3 dig")
"""Programs whose options here name files, but for one of wget."""


def option_of(words: tuple[str, ...], besides: Container[str] = ()) -> str:
    """The first such option among a command's words; empty for none. `besides`: words that are meant to be there."""
    dangerous = _options(words[0])
    found = (_one_of(word, dangerous) for word in words[1:] if word not in besides)
    return next(filter(None, found), "") if dangerous else ""


def given_to_options(words: tuple[str, ...]) -> Iterator[str]:
    """What such options are given, attached or as the next word, and words that are marked as commands (`+x`, `!x`)."""
    program, dangerous = base(words[0]), _options(words[0])
    for word, after in pairwise((*words[1:], "")):
        option = _one_of(word, dangerous) if word[:1] == "-" else ""
        if word[:1] in ("+", "!") and program != "git":
            yield word.lstrip("+!:")
        elif option == "--use-askpass" or (option and program not in _OF_FILES):
            yield from (after, word.partition("=")[2], *(word[at:] for at in range(2, min(len(word), 10))))


def _options(program: str) -> tuple[str, ...]:
    name = base(program)
    return _dangerous(ALIKE.get(name, name))


@lru_cache(maxsize=64)
def _dangerous(program: str) -> tuple[str, ...]:
    return tuple(sorted(CODE.get(program, ())))


def _one_of(word: str, options: tuple[str, ...]) -> str:
    """The dangerous option that a word is, begins with, is short for, or bundles."""
    if word in options:
        return word
    if word.startswith("--") and len(word) > 2:
        name = word.partition("=")[0]
        return next((o for o in options if o.startswith("--") and o.startswith(name)), "")
    if word.startswith("-") and len(word) > 1:
        for option in options:
            if option.startswith("--") or not option.startswith("-") or option == "-":
                continue
            if word.startswith(option) or (len(option) == 2 and option[1] in _letters(word)):
                return option
    return ""


def _letters(word: str) -> str:
    return "".join(re.findall(r"^-([A-Za-z]+)", word))
