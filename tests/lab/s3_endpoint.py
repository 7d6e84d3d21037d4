"""Runs inside a container: an S3 endpoint on port 9000, moto's, that knows one key and can be out of order.

What the file /srv/s3 says decides: `key NAME` is the access key that is let in; the word `full` or
`read-only` makes it answer writes as Ceph's gateway does then (its quota; a bucket policy).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

STATE = Path("/srv/s3")
_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
)

Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]


class Endpoint:
    """moto behind what the file says."""

    def __init__(self, moto: Application) -> None:
        self._moto = moto

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        words = STATE.read_text(encoding="utf-8").split()
        key = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        writes = environ["REQUEST_METHOD"] in ("PUT", "POST", "DELETE")
        refusal = None
        if key is None or key[1] not in words:
            refusal = ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist.")
        elif writes and "full" in words:
            refusal = ("QuotaExceeded", "The bucket has used up its quota.")
        elif writes and "read-only" in words:
            refusal = ("AccessDenied", "Access Denied.")
        if refusal is None:
            return self._moto(environ, start_response)
        body = _ERROR.format(code=refusal[0], message=refusal[1]).encode()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"].read(length)
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        start_response("403 Forbidden", headers)
        return [body]


def main() -> None:
    sys.path.insert(0, "/opt/moto")
    from moto.server import DomainDispatcherApplication, create_backend_app  # type: ignore[import-not-found]
    from werkzeug.serving import run_simple  # type: ignore[import-not-found]
    from werkzeug.test import Client  # type: ignore[import-not-found]

    moto: Any = DomainDispatcherApplication(create_backend_app)
    for bucket in ("roomy", "small"):
        Client(moto).put(f"/{bucket}", base_url="http://127.0.0.1:9000")
    run_simple("0.0.0.0", 9000, Endpoint(moto), threaded=True)  # noqa: S104 - of the container's own network


if __name__ == "__main__":
    main()
