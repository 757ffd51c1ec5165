"""The real yaml-language-server over stdio, as an editor talks to it.

Install it once into a cache folder:  npm install --prefix ~/.cache/lora-reconciler/editor yaml-language-server@1.25
(`XDG_CACHE_HOME` moves the folder.) Tests that need it are skipped while node or the package is missing.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lora-reconciler" / "editor"
SERVER = CACHE / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
MISSING = "" if shutil.which("node") and SERVER.exists() else f"no yaml-language-server: npm install --prefix {CACHE} yaml-language-server@1.25"
SETTINGS = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}, "format": {"enable": False}}}
SECONDS = 60


class LanguageServer:
    """One server; `check` opens a document and waits for its diagnostics."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(["node", str(SERVER), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._number = 0
        threading.Thread(target=self._read, daemon=True).start()
        uri = folder.as_uri()
        capabilities = {"workspace": {"configuration": True}, "textDocument": {"publishDiagnostics": {}}}
        self.ask("initialize", {"processId": os.getpid(), "rootUri": uri, "workspaceFolders": [{"uri": uri, "name": "x"}], "capabilities": capabilities})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": SETTINGS})

    def close(self) -> None:
        self._process.kill()
        self._process.wait(SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def check(self, name: str, text: str) -> list[dict[str, Any]]:
        """The diagnostics of `text` as a new file beside `name`; each has a name of its own, because closing one clears its marks later."""
        self._number += 1
        uri = (self._folder / name).with_name(f"{self._number}-{Path(name).name}").as_uri()
        self._tell("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
        while True:
            message = self._answers.get(timeout=SECONDS)
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                self._tell("textDocument/didClose", {"textDocument": {"uri": uri}})
                return list(message["params"]["diagnostics"])

    def at(self, method: str, name: str, text: str, line: int, character: int) -> Any:
        """What the server says about one position (from 0): a hover, a completion."""
        uri = (self._folder / name).as_uri()
        self._tell("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
        return self.ask(f"textDocument/{method}", {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}})

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self._number += 1
        number = self._number
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        while True:
            message = self._answers.get(timeout=SECONDS)
            if message.get("id") == number and "method" not in message:
                return message.get("result")

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            while header := stream.readline():
                length = 0
                while header.strip():
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                    header = stream.readline()
                message = json.loads(stream.read(length))
                if "method" in message and "id" in message:
                    result = (
                        [SETTINGS["yaml"] if i.get("section") == "yaml" else {} for i in message["params"]["items"]]
                        if message["method"] == "workspace/configuration"
                        else None
                    )
                    self._send({"jsonrpc": "2.0", "id": message["id"], "result": result})
                else:
                    self._answers.put(message)
        except (ValueError, OSError):
            return
