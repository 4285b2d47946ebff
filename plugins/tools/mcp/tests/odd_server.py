"""An MCP server in plain Python that behaves as oddly as it is told; started as a program, `odd_server.py FILE`.

FILE is JSON: `tools` as in tools/list, and by the name of a tool what a call of it does. Each start appends a line to
`starts` beside FILE, with the environment and the arguments.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def text(value: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value}]}


def called(act: str, number: Any, arguments: dict[str, Any]) -> None:
    if act == "die":
        sys.stderr.write("out of luck\n")
        sys.exit(3)
    if act == "silent":
        return
    if act == "flood":
        sys.stdout.write("x" * 300_000)
        sys.stdout.flush()
    if act == "ask":
        content = {"type": "text", "text": "the key?"}
        asked = {"messages": [{"role": "user", "content": content}], "maxTokens": 9}
        say({"id": "s", "method": "sampling/createMessage", "params": asked})
        answer = json.loads(sys.stdin.readline())
        say({"id": number, "result": text(json.dumps(answer.get("error") or answer["result"]["content"]))})
        return
    if act == "elicit":
        say({"id": "e", "method": "elicitation/create", "params": arguments})
        answer = json.loads(sys.stdin.readline())
        say({"id": number, "result": text(json.dumps(answer.get("error") or answer["result"]))})
        return
    if act == "garbage":
        sys.stdout.write("not JSON\n\n[1, 2]\n" + '{"jsonrpc": "2.0", "id": 999, "result": {}}\n')
        say({"id": number, "result": text("first")})
    say({"id": number, "result": text(f"{act} {json.dumps(arguments)}")})


def main() -> None:
    told = Path(sys.argv[1])
    with (told.parent / "starts").open("a") as starts:
        starts.write(json.dumps({"argv": sys.argv[2:], "env": os.environ.get("CANARY", "")}) + "\n")
    about = json.loads(told.read_text())
    for line in sys.stdin:
        message = json.loads(line)
        number, method = message.get("id"), message["method"]
        if method == "initialize":
            version = message["params"]["protocolVersion"]
            info = {"name": "odd", "version": "1"}
            say(
                {
                    "id": number,
                    "result": {
                        "protocolVersion": version,
                        "capabilities": {"tools": {}, **about.get("can", {})},
                        "serverInfo": info,
                    },
                }
            )
        elif method == "tools/list":
            say({"id": number, "result": {"tools": about["tools"]}})
        elif method == "resources/list":  # a page each
            at = int((message.get("params") or {}).get("cursor") or 0)
            more = {"nextCursor": str(at + 1)} if at < 2 else {}
            say({"id": number, "result": {"resources": [{"uri": f"odd://{at}", "name": f"r{at}"}], **more}})
        elif method == "tools/call":
            name = message["params"]["name"]
            called(about.get(name, name), number, message["params"].get("arguments", {}))
        elif number is not None:
            say({"id": number, "error": {"code": -32601, "message": "no such method"}})


if __name__ == "__main__":
    main()
