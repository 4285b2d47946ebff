"""Commands that a policy should have stopped, run with everything allowed: no mark outside, no connection."""

from __future__ import annotations

import socket

import pytest

from .conftest import Ground

COMMANDS = {
    "P01": "git log; touch M",
    "P02": "git status & touch M",
    "P03": 'echo "touch M" | bash; echo "touch M" |& sh',
    "P04": "echo `touch M`",
    "P05": "exec 3>M; echo x >&3; git log 2>&1 >M",
    "P06": "/bin/rm F; \\rm F; r''m F; command rm F; busybox rm F",
    "P07": "env rm F; nohup rm F; setsid rm F; timeout 5 rm F; nice rm F; time rm F; echo F | xargs rm",
    "P08": "X=1 touch M; GIT_EXTERNAL_DIFF='touch M' git diff; GIT_SSH_COMMAND='touch M' git fetch ssh://x/y",
    "P10": "find . -exec touch M {} +; find . -fprintf M x; find . -fls M; find O -delete",
    "P11": 'echo x > f; sed "w M" f; sed -n "1e touch M" f; sed "s/x/touch M/e" f; sed -i s/a/b/ F',
    "P13": "git init -q r; git -C r log --output=M; git -C r archive -o M HEAD; git diff --no-index --output=M a b",
    "P15": "cat <<EOF\n$(touch M)\nEOF",
    "P16": "git status\rtouch M\ntouch M",
    "P18": "$'\\x74\\x6f\\x75\\x63\\x68' M",
    "P19": "{touch,M}",
    "P20": "x='$(touch M)'; echo ${x@P}; echo ${y:=$(touch M)}; echo $((a[$(touch M)]))",
    "P21": 'eval "touch M"; echo "touch M" > x; . ./x; trap "touch M" EXIT',
    "P22": 'git status # "\ntouch M',
    "P25": 'perl -e \'open(F, ">", "M")\'; awk \'BEGIN{system("touch M")}\'; tar -cf /dev/null --checkpoint=1'
    " --checkpoint-action=exec='touch M' .; python3 -c 'open(\"M\", \"w\")'",
    "P26": "ping -c1 127.0.0.1; getent hosts x.y; nslookup x 127.0.0.1",
    "P29": "cat < /dev/tcp/127.0.0.1/PORT; echo x > /dev/udp/127.0.0.1/PORT; curl -m2 http://127.0.0.1:PORT",
    "S13": "ln -s M l; echo x > l; ln F hard; echo x > hard; cp --reflink=never F c; ln -s O d; touch d/x",
    "S20": "rm -rf O; rm -rf .. ; mv O o; cd O && touch x; touch ../M; chmod -R 000 O",
}


@pytest.mark.parametrize("row", COMMANDS)
async def test_P_nothing_outside_is_touched(ground: Ground, row: str) -> None:
    mark, file = ground.outside / "mark", ground.file(ground.outside / "f", "mine\n")
    before = (file.read_text(), file.stat().st_nlink, file.stat().st_mode)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = COMMANDS[row].replace("PORT", str(listener.getsockname()[1]))
        for name, path in (("M", mark), ("F", file), ("O", ground.outside)):
            command = "".join(_placed(word, name, str(path)) for word in _words(command))
        await ground.bash(command, timeout=10.0)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    after = (file.read_text(), file.stat().st_nlink, file.stat().st_mode)
    assert [p.name for p in ground.outside.iterdir()] == ["f"]
    assert (after[:2], row == "S20" or after[2] == before[2]) == (before[:2], True)


def _words(text: str) -> list[str]:
    """Words and what stands between them."""
    made, word = [], ""
    for character in text:
        if character.isalnum() or character in "_-":
            word += character
            continue
        made += [word, character]
        word = ""
    return [*made, word]


def _placed(word: str, name: str, path: str) -> str:
    return path if word == name else word
