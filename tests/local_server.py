"""A web server on this machine that can resume, break off, send pages, or count what it was asked."""

import http.server
import threading
import time
from contextlib import contextmanager


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server.site
        site.ranges.append(self.headers.get("Range"))
        site.conditions.append(self.headers.get("If-Range"))
        content = site.files.get(self.path.split("?")[0])
        if content is None:
            self.send_error(404)
            return
        start = 0
        marked = self.headers.get("If-Range") in (None, site.mark)
        if site.resumes and marked and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", site.content_type)
        if site.mark:
            self.send_header("ETag", site.mark)
        if site.states_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: site.break_after])
        while site.drips and not self.wfile.closed:
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, *_) -> None:
        """Stay quiet."""


class Site:
    """What the server holds and how it behaves; change it between requests."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.resumes = True
        self.content_type = "application/octet-stream"
        self.break_after: int | None = None
        self.mark: str | None = '"first"'
        self.states_length = True
        self.drips = False
        self.ranges: list[str | None] = []
        self.conditions: list[str | None] = []
        self.address = ""


@contextmanager
def serving(files: dict[str, bytes]):
    """Serve ``files`` (path -> content); yields the ``Site`` with its ``address``."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.site = site = Site(files)
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
