"""Fetches pages in tasks: input and output at the same time instead of one by one.

    python -m scoop_mpi examples/url_fetch.py

So that it works without the internet, the root serves the pages itself, from a thread;
the workers have to be on the same machine therefore. (Threads are fine as long as they
make no calls of ``futures``.)
"""

import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scoop_mpi import futures

PAGES = {f"/page{n}": f"page {n}\n" * 100 * n for n in range(1, 9)}


class Handler(BaseHTTPRequestHandler):
    """Answers with one of the pages."""

    def do_GET(self) -> None:
        """Called by the server, in a thread for each request."""
        if self.path not in PAGES:
            self.send_error(404)
            return
        content = PAGES[self.path].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """No log: it would mix with the output."""


def size(url: str) -> int | str:
    """The size of a page in bytes; an error of the server is a result as well."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=10) as page:
            return len(page.read())
    except urllib.error.HTTPError as error:
        with error:
            return f"error {error.code}"


def main() -> None:
    """Runs on the root only."""
    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        paths = [*PAGES, "/nothing"]
        urls = [f"http://localhost:{server.server_port}{path}" for path in paths]
        for path, found in zip(paths, futures.map(size, urls)):
            print(f"{path}: {found}")
        server.shutdown()


if __name__ == "__main__":
    main()
