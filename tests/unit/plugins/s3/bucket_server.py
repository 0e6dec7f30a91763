"""An S3 server on loopback: moto's, behind a gate that checks signatures as Amazon does.

Moto lets everybody in, whatever a request is signed with. Here each signature is made once more,
by botocore, which shares nothing with the client under test; dates and expiries count too.
"""

import contextlib
import hashlib
import hmac
import io
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
from attrs import define, field
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import BaseWSGIServer, make_server

KEY_ID = "AKIDEXAMPLE000000001"
SECRET = "correct-horse-battery-staple-0001"
REGION = "eu-central-1"
BUCKET = "studio"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@define
class Call:
    """A request that arrived: what a fault decides by, and tests count."""

    method: str
    path: str
    query: dict[str, str]
    size: int

    @property
    def part(self) -> int | None:
        """The number of a part of a multipart upload."""
        return int(self.query["partNumber"]) if "partNumber" in self.query else None


@define
class Gate:
    """In front of moto: faults that a test wants, then the signature, then moto.

    Attributes:
        fault: The status that a request is answered by, before anything comes of it; None to let
            it pass.
        after: Called when a request was done, before its answer goes out.
    """

    app: Wsgi
    calls: list[Call] = field(factory=list)
    fault: Callable[[Call], int | None] = field(default=lambda _: None)
    after: Callable[[Call], None] = field(default=lambda _: None)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        target = urlsplit(environ["RAW_URI"])
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        call = Call(environ["REQUEST_METHOD"], target.path, query, len(body))
        self.calls.append(call)
        if (status := self.fault(call)) is not None:
            return _refuse(start, status, "SlowDown")
        if (code := _wrong(call, environ, target.query, body)) is not None:
            return _refuse(start, 403, code)
        answer = self.app(environ, start)
        self.after(call)
        return answer


def _refuse(start: Callable[..., Any], status: int, code: str) -> Iterable[bytes]:
    start(f"{status} Refused", [("content-type", "application/xml")])
    return [f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()]


def _wrong(call: Call, environ: dict[str, Any], raw_query: str, body: bytes) -> str | None:
    """What is wrong with a signature, as S3 names it."""
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    headers["content-length"] = environ.get("CONTENT_LENGTH", "")
    if signed_url := "X-Amz-Signature" in call.query:
        given, scope = call.query["X-Amz-Signature"], call.query["X-Amz-Credential"]
        names, date = call.query["X-Amz-SignedHeaders"], call.query["X-Amz-Date"]
        lasts, payload = int(call.query["X-Amz-Expires"]), "UNSIGNED-PAYLOAD"
        raw_query = "&".join(
            part for part in raw_query.split("&") if not part.startswith("X-Amz-Signature=")
        )
    else:
        told = headers.get("authorization", "")
        if not told.startswith("AWS4-HMAC-SHA256 "):
            return "AccessDenied"
        parts = dict(one.strip().split("=", 1) for one in told[17:].split(","))
        given, scope, names = parts["Signature"], parts["Credential"], parts["SignedHeaders"]
        date, lasts, payload = headers["x-amz-date"], 900, headers["x-amz-content-sha256"]
        if hashlib.sha256(body).hexdigest() != payload:
            return "XAmzContentSHA256Mismatch"
    began = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if datetime.now(UTC) >= began + timedelta(seconds=lasts):
        return "AccessDenied" if signed_url else "RequestTimeTooSkewed"
    key_id, _, rest = scope.partition("/")
    if key_id != KEY_ID:
        return "InvalidAccessKeyId"
    if rest.split("/")[1:] != [REGION, "s3", "aws4_request"]:
        return "AuthorizationHeaderMalformed"
    expected = _signature(
        call.method, call.path, raw_query, {n: headers[n] for n in names.split(";")}, date, payload
    )
    return None if hmac.compare_digest(expected, given) else "SignatureDoesNotMatch"


def _signature(
    method: str, path: str, query: str, headers: dict[str, str], date: str, payload: str
) -> str:
    """The signature by botocore's parts, of a request as it arrived."""
    auth = SigV4Auth(Credentials(KEY_ID, SECRET), "s3", REGION)
    request = AWSRequest(method, f"http://host{path}")
    request.context["timestamp"] = date
    signed = HTTPHeaders()
    for name, value in headers.items():
        signed[name] = value
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(sorted(f"{one}" if "=" in one else f"{one}=" for one in query.split("&")))
            if query
            else "",
            auth.canonical_headers(signed) + "\n",
            auth.signed_headers(signed),
            payload,
        ]
    )
    return str(auth.signature(auth.string_to_sign(request, canonical), request))


@define
class BucketServer:
    """A server with the bucket ``studio``.

    Attributes:
        url: Its address.
        gate: What stands before it.
    """

    url: str
    gate: Gate
    _server: BaseWSGIServer
    _thread: threading.Thread

    @property
    def environment(self) -> dict[str, str]:
        """The variables that set the storage up with it."""
        return {
            "BOARDS_S3_BUCKET": BUCKET,
            "BOARDS_S3_PREFIX": "team/boards",
            "BOARDS_S3_ENDPOINT": self.url,
            "BOARDS_S3_REGION": REGION,
            "BOARDS_S3_PUBLIC": "1",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def client(self) -> Any:
        """Amazon's own client: what lies in the bucket, seen from elsewhere."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
        )

    def objects(self) -> dict[str, int]:
        """The sizes of all objects by key."""
        found = self.client().list_objects_v2(Bucket=BUCKET)
        return {one["Key"]: one["Size"] for one in found.get("Contents", ())}

    def stop(self) -> None:
        """Go away, in the middle of whatever it does."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def started() -> BucketServer:
    """A server that runs, with an empty bucket; another one's objects are gone."""
    app = create_backend_app("s3")
    gate = Gate(app)
    server = make_server("127.0.0.1", 0, gate, True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    running = BucketServer(f"http://127.0.0.1:{server.server_port}", gate, server, thread)
    s3_backends[ACCOUNT].reset()
    running.client().create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    gate.calls.clear()
    return running


@contextlib.contextmanager
def serving() -> Iterator[BucketServer]:
    """A server, until the end of the block."""
    server = started()
    try:
        yield server
    finally:
        server.stop()


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """Nothing: the tests have the calls."""
