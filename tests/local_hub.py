"""A hub on this machine: as much of Hugging Face's interface as pushing and fetching a few small files takes."""

import base64
import hashlib
import http.server
import json
import threading
from contextlib import contextmanager

COMMIT = "0" * 40


class _Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def say(self, content: object, status: int = 200, **headers: str) -> None:
        self.answer(json.dumps(content).encode(), status, Content_Type="application/json", **headers)

    def do_GET(self) -> None:
        hub, path = self.server.hub, self.path.split("?")[0]
        owner, name, *rest = path.removeprefix("/api/models").strip("/").split("/")
        files = hub.get(f"{owner}/{name}")
        if files is None:
            self.say({"error": "Repository not found"}, 401, X_Error_Code="RepoNotFound")
        elif path.startswith("/api/models/") and rest[:1] == ["tree"]:
            tree = [
                {"type": "file", "path": file, "size": len(files[file]), "oid": _oid(files[file])} for file in files
            ]
            self.say(tree)
        elif path.startswith("/api/models/"):
            siblings = [{"rfilename": file} for file in files]
            self.say({"id": f"{owner}/{name}", "sha": COMMIT, "siblings": siblings, "private": False})
        elif rest[0] == "resolve" and "/".join(rest[2:]) in files:
            content = files["/".join(rest[2:])]
            self.answer(content, ETag=f'"{_oid(content)}"', X_Repo_Commit=COMMIT, Accept_Ranges="bytes")
        else:
            self.say({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        hub, path = self.server.hub, self.path.split("?")[0]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            hub.setdefault(name, {})
            self.say({"url": f"http://{self.headers['Host']}/{name}"})
        elif path == "/api/validate-yaml":
            self.say({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            modes = [{"path": file["path"], "uploadMode": "regular"} for file in json.loads(body)["files"]]
            self.say({"files": [{**mode, "shouldIgnore": False} for mode in modes]})
        elif "/commit/" in path:
            name = path.removeprefix("/api/models/").split("/commit/")[0]
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    hub[name][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.say({"commitUrl": f"http://{self.headers['Host']}/{name}/commit/{COMMIT}", "commitOid": COMMIT})
        else:
            self.say({"error": f"unknown: {path}"}, 404)

    def log_message(self, *_) -> None:
        """Stay quiet."""


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def hub_at_home():
    """Serve an empty hub; yields its address and its repositories: OWNER/NAME -> path -> content."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
