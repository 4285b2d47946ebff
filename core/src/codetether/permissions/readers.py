"""Knows the programs that only read, and with which options they do nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from codetether.permissions.expressions import awk_paths, find_paths, sed_paths
from codetether.permissions.options import NotHarmless, Options, names
from codetether.values import frozen


@frozen(kw_only=True)
class Use:
    """What a harmless command reads.

    Attributes:
        reads: paths as spelled.
        directory: where it works, if not in the directory that it is given.
        repository: it reads the state of the git repository there.
        below: it reads all files below the directories that it reads, hidden ones too.
        history: it shows what files of the repository held: those that these patterns name; all where there are none.
    """

    reads: tuple[str, ...] = ()
    directory: str = ""
    repository: bool = False
    below: bool = False
    history: tuple[str, ...] | None = None


Reader = Callable[[tuple[str, ...]], Use]
_SECOND = re.compile(r"[0-9.]+[smhd]?")
_BELOW: Mapping[str, frozenset[str]] = {"rg": names("hidden unrestricted u .")}
_STORES = re.compile(r"%[^a-zA-Z%]*[hlLjzt]*n")
_NOT_DATA = re.compile(r"(?i)(?<![.\w])(?:env\b|import|include|input|module)|__")
_TESTS = names("-e -f -d -L -h -r -w -x -s -z -n = == != -nt -ot -ef -a -o !")


def _files(options: Options) -> Reader:
    """Every operand is a file that is read."""

    def read(words: tuple[str, ...]) -> Use:
        found = options.read(words[1:])
        return Use(reads=(*found.operands, *found.files))

    return read


def _pattern(options: Options) -> Reader:
    """The first operand is a pattern, unless an option gives it; the others are files."""

    def read(words: tuple[str, ...]) -> Use:
        found = options.read(words[1:])
        given = found.used & {"e", "f", "regexp", "file", "files", "type-list"}
        operands = found.operands if given else found.operands[1:]
        below = bool(found.used & _BELOW.get(words[0], frozenset({"r", "recursive"})))
        return Use(reads=(*(operands or ((".",) if below else ())), *found.files), below=below)

    return read


def _words(options: Options, most: int = 100) -> Reader:
    """Operands are words, no files."""

    def read(words: tuple[str, ...]) -> Use:
        found = options.read(words[1:])
        if len(found.operands) > most:
            raise NotHarmless(f"{words[0]} with {found.operands[most]}")
        return Use(reads=found.files)

    return read


def _uniq(words: tuple[str, ...]) -> Use:
    options = Options(
        flags="cdDiuz", valued="fsw", long=names("count repeated unique ignore-case zero-terminated"), number=True
    )
    found = options.read(words[1:])
    if len(found.operands) > 1:
        raise NotHarmless(f"writing to {found.operands[1]}")
    return Use(reads=found.operands)


def _sed(words: tuple[str, ...]) -> Use:
    return Use(reads=sed_paths(words[1:]))


def _find(words: tuple[str, ...]) -> Use:
    return Use(reads=find_paths(words[1:]))


def _printf(words: tuple[str, ...]) -> Use:
    if words[1:] and words[1].startswith("-"):
        raise NotHarmless(f"the option {words[1]}")
    if words[1:] and _STORES.search(words[1]):
        raise NotHarmless("printf into a variable")
    return Use()


def _awk(words: tuple[str, ...]) -> Use:
    return Use(reads=awk_paths(words[1:]))


def _jq(words: tuple[str, ...]) -> Use:
    found = _JQ.read(words[1:])
    if _NOT_DATA.search(" ".join(found.operands[:1])):
        raise NotHarmless("a jq filter that looks beyond its input")
    return Use(reads=found.operands[1:])


def _dump(words: tuple[str, ...]) -> Use:
    found = Options(flags="pbieu", valued="clsgo").read(words[1:])
    if len(found.operands) > 1:
        raise NotHarmless(f"writing to {found.operands[1]}")
    return Use(reads=found.operands)


def _anything(words: tuple[str, ...]) -> Use:
    return Use()


def _test(words: tuple[str, ...]) -> Use:
    for word in words[1:]:
        if word.startswith("-") and word not in _TESTS:
            raise NotHarmless(f"the test {word}")
    return Use()


def _date(words: tuple[str, ...]) -> Use:
    found = _DATE.read(words[1:])
    if any(not word.startswith("+") for word in found.operands):
        raise NotHarmless("setting the clock")
    return Use(reads=found.files)


def _command(words: tuple[str, ...]) -> Use:
    if len(words) < 3 or words[1] not in ("-v", "-V") or any(word.startswith("-") for word in words[2:]):
        raise NotHarmless("running another program")
    return Use()


def _version(words: tuple[str, ...]) -> Use:
    if words[1:] not in (("--version",), ("-V",)):
        raise NotHarmless("running a program")
    return Use()


_GREP = Options(
    flags="abcEFGhHiIlLnoPqrsTUvVwxyzZ",
    valued="eABCmdD",
    long=names(
        "extended-regexp fixed-strings basic-regexp perl-regexp ignore-case no-ignore-case invert-match word-regexp"
        " line-regexp count files-with-matches files-without-match only-matching quiet silent no-messages byte-offset"
        " with-filename no-filename line-number initial-tab null text recursive line-buffered null-data version help"
    ),
    named=names(
        "regexp max-count label after-context before-context context binary-files exclude exclude-dir include"
        " directories devices"
    ),
    maybe=names("color colour"),
    files=names("f file exclude-from"),
    number=True,
)
_RG = Options(
    flags="abcFhHiIlnNoPpqSsuUvVwx0.",
    valued="eABCgjmMrtTdE",
    long=names(
        "files fixed-strings hidden ignore-case smart-case case-sensitive invert-match word-regexp line-regexp count"
        " count-matches files-with-matches files-without-match only-matching quiet line-number no-line-number"
        " with-filename no-filename heading no-heading column no-column json multiline multiline-dotall pcre2 trim"
        " no-ignore no-ignore-vcs no-ignore-parent no-messages null passthru pretty stats text unrestricted vimgrep"
        " type-list no-config version one-file-system glob-case-insensitive include-zero byte-offset no-hidden crlf"
        " no-follow max-columns-preview"
    ),
    named=names(
        "regexp glob iglob type type-not type-add after-context before-context context max-count max-columns max-depth"
        " max-filesize replace sort sortr threads color colors encoding engine path-separator context-separator"
    ),
    files=names("f file ignore-file"),
)
_LS = Options(
    flags="aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxXZ1",
    valued="ITw",
    long=names(
        "all almost-all author escape directory dired file-type full-time group-directories-first no-group"
        " human-readable si dereference inode numeric-uid-gid literal hide-control-chars quote-name reverse recursive"
        " size context zero version help"
    ),
    named=names("block-size hide ignore indicator-style quoting-style sort time time-style format tabsize width"),
    maybe=names("color classify hyperlink"),
)
_SORT = Options(
    flags="bcCdfghiMmnrRsuVz",
    valued="kt",
    long=names(
        "ignore-leading-blanks dictionary-order ignore-case general-numeric-sort human-numeric-sort month-sort"
        " numeric-sort reverse stable unique version-sort zero-terminated merge debug"
    ),
    named=names("key field-separator parallel sort"),
    maybe=names("check"),
)
_DIFF = Options(
    flags="abBcdeEfinNpqstTuwyZ",
    valued="CUWIxF",
    long=names(
        "brief report-identical-files normal side-by-side show-c-function new-file ignore-case"
        " ignore-tab-expansion ignore-trailing-space ignore-space-change ignore-all-space ignore-blank-lines text"
        " strip-trailing-cr minimal suppress-common-lines left-column expand-tabs initial-tab ed rcs"
    ),
    named=names("width ignore-matching-lines exclude label show-function-line tabsize"),
    maybe=names("color context unified"),
)
_HEAD = Options(
    flags="qvz",
    valued="nc",
    long=names("quiet silent verbose zero-terminated"),
    named=names("lines bytes"),
    number=True,
)
_CUT = Options(
    flags="snz",
    valued="bcdf",
    long=names("complement only-delimited zero-terminated"),
    named=names("bytes characters delimiter fields output-delimiter"),
)
_DU = Options(
    flags="abchHklmsSxD0",
    valued="dBt",
    long=names("all apparent-size bytes total human-readable summarize separate-dirs one-file-system si null"),
    named=names("max-depth block-size threshold exclude time-style"),
    maybe=names("time"),
)
_DATE = Options(
    flags="uR",
    valued="d",
    attached="I",
    files=names("r reference"),
    long=names("utc universal"),
    named=names("date"),
    maybe=names("iso-8601 rfc-3339"),
)
_JQ = Options(
    flags="crnsSeMajCR",
    long=names(
        "compact-output raw-output raw-input null-input slurp sort-keys exit-status monochrome-output join-output"
        " color-output tab"
    ),
    named=names("indent"),
    pairs=names("arg argjson"),
)
_SUM = Options(flags="bt", long=names("binary text tag zero"))

READERS: Mapping[str, Reader] = {
    "ls": _files(_LS),
    "cat": _files(
        Options(
            flags="AbeEnstTuv",
            long=names("show-all number-nonblank show-ends number squeeze-blank show-tabs show-nonprinting"),
        )
    ),
    "head": _files(_HEAD),
    "tail": _files(_HEAD),
    "wc": _files(Options(flags="clmLw", long=names("bytes chars lines max-line-length words"), named=names("total"))),
    "nl": _files(Options(flags="p", valued="bdfhilnsvw")),
    "tac": _files(Options(flags="br", valued="s")),
    "rev": _files(Options()),
    "fold": _files(Options(flags="bs", valued="w", number=True)),
    "paste": _files(Options(flags="sz", valued="d", long=names("serial"), named=names("delimiters"))),
    "comm": _files(Options(flags="123z", long=names("check-order nocheck-order total"))),
    "cmp": _files(Options(flags="bls", valued="in", long=names("print-bytes verbose quiet silent"))),
    "column": _files(Options(flags="txne", valued="scNoRl")),
    "diff": _files(_DIFF),
    "od": _files(Options(flags="abcdfiloxsv", valued="AjNtw", named=names("format"))),
    "stat": _files(
        Options(flags="Lft", valued="c", long=names("dereference file-system terse"), named=names("format printf"))
    ),
    "file": _files(Options(flags="bhiLkNr", long=names("brief mime mime-type mime-encoding dereference"))),
    "du": _files(_DU),
    "df": _files(
        Options(flags="ahHiklPTm", valued="Bt", long=names("all human-readable si inodes local portability print-type"))
    ),
    "tree": _files(
        Options(
            flags="adfghiDpsuFqNrtxCnASJ",
            valued="LPI",
            long=names("dirsfirst noreport gitignore prune"),
            named=names("filelimit"),
        )
    ),
    "md5sum": _files(_SUM),
    "sha1sum": _files(_SUM),
    "sha256sum": _files(_SUM),
    "sha512sum": _files(_SUM),
    "b2sum": _files(_SUM),
    "base64": _files(Options(flags="di", valued="w", long=names("decode ignore-garbage"), named=names("wrap"))),
    "shuf": _files(Options(flags="erz", valued="ni", long=names("echo repeat"), named=names("head-count input-range"))),
    "join": _files(Options(flags="iz", valued="aeotv12j", long=names("check-order nocheck-order header"))),
    "fmt": _files(Options(flags="cstu", valued="wpg", named=names("width"), number=True)),
    "expand": _files(Options(flags="i", valued="t", long=names("initial"), named=names("tabs"))),
    "unexpand": _files(Options(flags="a", valued="t", long=names("all first-only"), named=names("tabs"))),
    "cal": _words(Options(flags="13jmsy", valued="ABn"), most=3),
    "free": _words(Options(flags="bkmghtw", long=names("human mega giga total wide")), most=0),
    "cksum": _files(_SUM),
    "realpath": _words(
        Options(
            flags="eLmPqsz",
            long=names("canonicalize-existing strip no-symlinks"),
            named=names("relative-to relative-base"),
        )
    ),
    "readlink": _words(Options(flags="efmnqsvz", long=names("canonicalize no-newline"))),
    "sort": _files(_SORT),
    "uniq": _uniq,
    "cut": _files(_CUT),
    "tr": _words(Options(flags="cCdst", long=names("complement delete squeeze-repeats truncate-set1")), most=2),
    "grep": _pattern(_GREP),
    "egrep": _pattern(_GREP),
    "fgrep": _pattern(_GREP),
    "rg": _pattern(_RG),
    "find": _find,
    "sed": _sed,
    "awk": _awk,
    "jq": _jq,
    "xxd": _dump,
    "hexdump": _files(Options(flags="bcCdovx", valued="ns")),
    "echo": _anything,
    "printf": _printf,
    "true": _anything,
    "false": _anything,
    ":": _anything,
    "pwd": _words(Options(flags="LP"), most=0),
    "basename": _words(Options(flags="az", valued="s", long=names("multiple"), named=names("suffix"))),
    "dirname": _words(Options(flags="z")),
    "which": _words(Options(flags="as")),
    "type": _words(Options(flags="aftpP")),
    "command": _command,
    "test": _test,
    "date": _date,
    "seq": _words(Options(flags="w", valued="fs", number=True), most=3),
    "whoami": _words(Options(), most=0),
    "id": _words(Options(flags="agGnruz"), most=1),
    "groups": _words(Options(), most=1),
    "hostname": _words(Options(flags="sfd"), most=0),
    "uname": _words(Options(flags="amnrsvpio"), most=0),
    "arch": _words(Options(), most=0),
    "nproc": _words(Options(long=names("all")), most=0),
    "uptime": _words(Options(flags="ps"), most=0),
    **dict.fromkeys(["python", "python3", "node", "gcc", "g++", "clang", "make", "bash", "perl"], _version),
}
"""Program -> what reads its argv; it raises NotHarmless for what could do more than read."""

_TOLD = READERS.keys() | names("npm java ruby php cmake docker pip pip3 uv ruff mypy black zsh curl wget tar")
"""Programs that tell their version, or how they are used, without a look at what the directory asks them to run."""
_VERSION = (("--version",), ("--help",))


def tells_of_itself(words: tuple[str, ...]) -> bool:
    """Whether a program only tells its version, or how it is used."""
    return words[1:] in _VERSION and words[0] in _TOLD


ALSO_WRITE = names("date hostname command type python python3 node gcc g++ clang make bash perl")
"""Readers that also do other things: a rule of the user for these means those too."""


def inner(words: tuple[str, ...]) -> tuple[str, ...]:
    """The command that a harmless wrapper (timeout, nice, command) runs; else the command itself."""
    match words:
        case ("timeout", limit, _, *_) if _SECOND.fullmatch(limit):
            return words[2:]
        case ("timeout", "-k" | "-s", _, limit, _, *_) if _SECOND.fullmatch(limit):
            return words[4:]
        case ("nice", "-n", value, _, *_) if value.lstrip("-+").isdigit():
            return words[3:]
        case ("command" | "nice", program, *_) if not program.startswith("-"):
            return words[1:]
        case _:
            return words
