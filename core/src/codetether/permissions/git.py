"""Knows which commands of git only read, and with which options they do nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

from codetether.permissions.options import Arguments, NotHarmless, Options, names
from codetether.permissions.readers import Use

_DIFF_LONG = """
 patch no-patch raw patch-with-raw patch-with-stat minimal patience histogram shortstat summary name-only name-status
 check full-index binary cached staged merge-base no-renames rename-empty no-rename-empty find-copies-harder pickaxe-all
 pickaxe-regex text ignore-cr-at-eol ignore-space-at-eol ignore-space-change ignore-all-space
 ignore-blank-lines function-context exit-code quiet no-ext-diff no-textconv no-prefix default-prefix no-color
 no-color-moved no-indent-heuristic
 indent-heuristic numstat compact-summary cumulative cc combined-all-paths no-relative irreversible-delete
 ita-visible-in-index base ours theirs
"""
_DIFF_NAMED = """
 unified output-indicator-new output-indicator-old output-indicator-context anchored diff-algorithm diff-filter
 inter-hunk-context ws-error-highlight src-prefix dst-prefix line-prefix find-object word-diff-regex skip-to rotate-to
 max-depth
"""
_DIFF_MAYBE = """
 stat dirstat dirstat-by-file color color-moved color-moved-ws word-diff color-words abbrev find-renames find-copies
 break-rewrites submodule ignore-submodules relative
"""
_LOG_LONG = """
 oneline graph decorate no-decorate all branches tags remotes merges no-merges first-parent reverse follow no-follow
 source no-walk walk-reflogs topo-order date-order author-date-order full-history dense sparse simplify-merges
 simplify-by-decoration ancestry-path cherry cherry-pick cherry-mark left-only right-only left-right boundary
 no-abbrev-commit abbrev-commit parents children relative-date mailmap no-mailmap use-mailmap log-size clear-decorations
 invert-grep all-match regexp-ignore-case fixed-strings extended-regexp perl-regexp basic-regexp show-pulls full-diff
 show-linear-break no-expand-tabs no-notes diff-merges reflog dd remove-empty count objects not root do-walk
 no-standard-notes no-show-signature
"""
_LOG_NAMED = """
 max-count skip since after until before author committer grep grep-reflog min-parents max-parents format date
 decorate-refs decorate-refs-exclude glob exclude encoding diff-merges
"""
_LOG_MAYBE = "pretty branches tags remotes decorate notes show-notes expand-tabs no-walk ancestry-path format"

_DIFF = Options(
    flags="puzwbaRWrtcms1230",
    valued="GSUl",
    attached="MCBXD",
    long=names(_DIFF_LONG),
    named=names(_DIFF_NAMED),
    maybe=names(_DIFF_MAYBE),
)
_LOG = Options(
    flags="puzwbaRWrtcmsgiEFP",
    valued="GSUlnL",
    attached="MCBXD",
    long=names(_DIFF_LONG + _LOG_LONG),
    named=names(_DIFF_NAMED + _LOG_NAMED),
    maybe=names(_DIFF_MAYBE + _LOG_MAYBE),
    number=True,
)
_STATUS = Options(
    flags="sbvz",
    attached="u",
    long=names("short branch long verbose null no-column show-stash ahead-behind no-ahead-behind renames no-renames"),
    maybe=names("porcelain untracked-files ignored ignore-submodules column find-renames"),
)
_BRANCH = Options(
    flags="arvqil",
    long=names("all remotes verbose list show-current no-column no-abbrev ignore-case omit-empty no-color quiet"),
    named=names("sort format points-at contains no-contains"),
    maybe=names("column color abbrev merged no-merged"),
)
_TAG = Options(
    flags="li",
    attached="n",
    long=names("list no-column ignore-case omit-empty no-color"),
    named=names("sort format points-at contains no-contains merged no-merged"),
    maybe=names("column color"),
)
_REV_PARSE = Options(
    flags="q",
    long=names(
        "show-toplevel git-dir absolute-git-dir git-common-dir is-inside-work-tree is-inside-git-dir is-bare-repository"
        " show-prefix show-cdup verify quiet symbolic symbolic-full-name all branches tags remotes revs-only no-revs"
        " flags no-flags is-shallow-repository show-superproject-working-tree shared-index-path"
    ),
    named=names("default prefix path-format glob exclude"),
    maybe=names("short abbrev-ref branches tags remotes show-object-format"),
)
_LS_FILES = Options(
    flags="cdmoisuktvfz",
    valued="x",
    long=names(
        "cached deleted modified others ignored stage unmerged killed directory no-empty-directory eol deduplicate"
        " exclude-standard error-unmatch full-name recurse-submodules debug sparse"
    ),
    named=names("exclude format with-tree"),
    maybe=names("abbrev"),
)
_LS_TREE = Options(
    flags="drtlz",
    long=names("long name-only name-status object-only full-name full-tree"),
    named=names("format"),
    maybe=names("abbrev"),
)
_BLAME = Options(
    flags="lbtfnspewrck",
    valued="L",
    attached="MC",
    long=names(
        "root show-stats line-porcelain porcelain incremental first-parent show-name show-number show-email color-lines"
        " color-by-age minimal no-progress"
    ),
    named=names("since date ignore-rev"),
    maybe=names("abbrev"),
)
_GREP = Options(
    flags="aIiwvhHEGPFnlLzcopWqr",
    valued="eABCm",
    long=names(
        "cached text ignore-case word-regexp invert-match full-name extended-regexp basic-regexp perl-regexp"
        " fixed-strings line-number column files-with-matches name-only files-without-match null only-matching count"
        " no-color break heading show-function function-context quiet and or not all-match"
        " recurse-submodules recursive no-recursive no-textconv"
    ),
    named=names("max-depth threads after-context before-context context max-count"),
    maybe=names("color"),
    number=True,
)
_DESCRIBE = Options(
    long=names("all tags contains long always first-parent exact-match debug"),
    named=names("match exclude candidates"),
    maybe=names("abbrev dirty broken"),
)
_REFS = Options(
    flags="sdq",
    long=names("head heads tags dereference branches verify quiet ignore-case omit-empty"),
    named=names("count sort format points-at merged no-merged contains no-contains exclude"),
    maybe=names("hash abbrev color"),
)
_OBJECT = Options(flags="tspe")
_COUNT = Options(flags="vH", long=names("verbose human-readable"))
_IGNORE = Options(flags="qvnz", long=names("quiet verbose non-matching no-index"))
_SETTING = re.compile(r"(?i)(?!.*(?:token|secret|passw|header|key|cookie|helper))[a-z][a-z0-9-]*\..+")
_REF = re.compile(r"[\w/.-]+")
_CONFIG = Options(long=names("get get-all local null show-origin show-scope"), named=names("type"))
_NONE = Options(flags="v", long=names("verbose build-options porcelain"))


def _listing(options: Options) -> Callable[[tuple[str, ...]], Arguments]:
    """Only lists: with an operand and no `--list` it would make something."""

    def read(words: tuple[str, ...]) -> Arguments:
        found = options.read(words)
        if found.operands and not found.used & {"l", "list", "merged", "no-merged"}:
            raise NotHarmless(f"making {found.operands[0]}")
        return attrs.evolve(found, operands=())

    return read


def _searching(words: tuple[str, ...]) -> Arguments:
    """The first operand is a pattern, unless an option gives it."""
    found = _GREP.read(words)
    return found if "e" in found.used else attrs.evolve(found, operands=found.operands[1:])


def _under(*commands: str, alone: bool, options: Options) -> Callable[[tuple[str, ...]], Arguments]:
    """Only these commands of a command; `alone`: none is harmless too."""

    def read(words: tuple[str, ...]) -> Arguments:
        found = options.read(words)
        if not found.operands and alone:
            return found
        if not found.operands or found.operands[0] not in commands or words[0].startswith("-"):
            raise NotHarmless(" ".join(found.operands[:1]) or "no command")
        return attrs.evolve(found, operands=found.operands[1:])

    return read


def _single(options: Options, name: re.Pattern[str]) -> Callable[[tuple[str, ...]], Arguments]:
    """Only tells what one such name stands for; with a second operand it would set it."""

    def read(words: tuple[str, ...]) -> Arguments:
        found = options.read(words)
        if len(found.operands) != 1 or not name.fullmatch(found.operands[0]):
            raise NotHarmless("more, or less, than one plain name")
        return attrs.evolve(found, operands=())

    return read


COMMANDS: Mapping[str, Callable[[tuple[str, ...]], Arguments]] = {
    "status": _STATUS.read,
    "log": _LOG.read,
    "show": _LOG.read,
    "whatchanged": _LOG.read,
    "diff": _DIFF.read,
    "shortlog": attrs.evolve(
        _LOG, flags=_LOG.flags + "ne", valued="GSUl", long=_LOG.long | names("numbered summary email")
    ).read,
    "rev-list": _LOG.read,
    "reflog": _under("show", alone=True, options=_LOG),
    "branch": _listing(_BRANCH),
    "tag": _listing(_TAG),
    "rev-parse": _REV_PARSE.read,
    "ls-files": _LS_FILES.read,
    "ls-tree": _LS_TREE.read,
    "blame": _BLAME.read,
    "annotate": _BLAME.read,
    "grep": _searching,
    "describe": _DESCRIBE.read,
    "show-ref": _REFS.read,
    "for-each-ref": _REFS.read,
    "name-rev": Options(long=names("tags all name-only always"), named=names("refs exclude")).read,
    "merge-base": Options(flags="a", long=names("all octopus independent is-ancestor fork-point")).read,
    "cat-file": _OBJECT.read,
    "count-objects": _COUNT.read,
    "check-ignore": _IGNORE.read,
    "stash": _under("list", "show", alone=False, options=_LOG),
    "remote": _under("get-url", alone=True, options=_NONE),
    "worktree": _under("list", alone=False, options=_NONE),
    "config": _single(_CONFIG, _SETTING),
    "symbolic-ref": _single(Options(flags="q", long=names("short quiet")), _REF),
    "cherry": Options(flags="v").read,
    "version": _NONE.read,
}
"""Command of git -> what reads its arguments."""

ALSO_WRITE = names("config symbolic-ref reflog branch tag stash remote worktree")
"""Those that also do other things: a rule of the user for these means those too."""
_GLOBAL = names(
    "--no-pager -P --no-optional-locks --literal-pathspecs --glob-pathspecs --icase-pathspecs --no-replace-objects"
)
_WITH_PATCHES = names("diff show log whatchanged reflog stash shortlog")
_PATCHES = names(
    "p u U c L W patch patch-with-raw patch-with-stat unified cc dd diff-merges binary word-diff color-words"
    " function-context"
)
_SUMMARIES = names(
    "s no-patch stat numstat shortstat dirstat dirstat-by-file summary compact-summary cumulative raw name-only"
    " name-status quiet"
)
_VALUED = names("-C -c --git-dir --work-tree --namespace --config-env --attr-source --super-prefix")
"""Options of git itself whose value is the next word."""


def read_git(words: tuple[str, ...]) -> Use:
    """What git reads with these words. Raises NotHarmless."""
    directory, at = "", 1
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "-C" and at + 1 < len(words) and not directory:
            directory, at = words[at + 1], at + 1
        elif words[at] == "--version":
            return Use()
        elif words[at] not in _GLOBAL:
            raise NotHarmless(f"git's option {words[at]}")
        at += 1
    if at == len(words):
        raise NotHarmless("git without a command")
    command = words[at]
    if command not in COMMANDS:
        raise NotHarmless(f"git {command}")
    try:
        found = COMMANDS[command](words[at + 1 :])
    except NotHarmless as why:
        raise NotHarmless(f"git {command} with {why}") from None
    if command != "grep" and any("%G" in word or "%(signature" in word for word in words):
        raise NotHarmless(f"git {command} with a format that has signatures checked")
    reads = tuple(path for operand in found.operands for path in _paths(operand)) + found.files
    history = _shown(command, words[at + 1 :], found)
    return Use(reads=reads, directory=directory, repository=True, history=history)


def _shown(command: str, words: tuple[str, ...], found: Arguments) -> tuple[str, ...] | None:
    """The patterns behind `--` where it shows what files held; None where it does not, or only of `HEAD:file`."""
    if command in ("show", "cat-file") and found.operands and all(map(_is_file, found.operands)):
        return None
    if command == "cat-file":
        return None if found.used & {"t", "s", "e"} else ()
    patches = bool(found.used & _PATCHES) or (command in ("diff", "show") and not found.used & _SUMMARIES)
    if command not in _WITH_PATCHES or not patches:
        return None
    return words[words.index("--") + 1 :] if "--" in words else ()


def _is_file(operand: str) -> bool:
    """Whether it is a file at a revision (`HEAD:x`) or in the index (`:x`), and no commit that is searched for."""
    revision, _, path = operand.partition(":")
    return bool(path) and not path.startswith("/") and "{" not in revision


def subcommand(words: tuple[str, ...]) -> int:
    """The place of git's command among its words, its own options passed over."""
    at = 1
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _VALUED else 1
    return at


def _paths(operand: str) -> tuple[str, ...]:
    """What an operand may name: a path, or a path at a revision (`HEAD:x`); git itself tells them apart as it runs."""
    if operand.startswith(":"):
        _, _, rest = operand.rpartition(")") if operand.startswith(":(") else ("", "", operand.lstrip(":!^/"))
        return (rest,) if rest else ()
    _, colon, path = operand.partition(":")
    return (operand, path) if colon and path else (operand,) if operand else ()
