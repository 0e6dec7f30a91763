"""A provider that charges: a process of its own, whose ledger no crash of a host can touch.

Each account is a provider for itself, with an address of its own (``URL/ACCOUNT``) and its own
behaviour. The ledger is a file to which one line is added for each charge, before the reply: what
it says was charged stays charged, also when the provider itself is killed and started again.
"""

import hashlib
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, Final

import attrs
from attrs import frozen

__all__ = [
    "KEY",
    "Behaviour",
    "PaidAccount",
    "PaidProvider",
    "content",
    "generator_document",
    "provider_document",
]

KEY: Final = "PAID_KEY"
"""The variable of the credential; any value that is not empty will do."""

_SERVER: Final = "boards.testing.paid_server"

_PNG: Final = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
    b"\x1f\x15\xc4\x89\x00\x00\x00\nIDATx\x9cc\x00\x01\x00\x00\x05\x00\x01\r\n-\xb4"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)
"""One pixel. What follows its end no viewer minds."""


@frozen
class Behaviour:
    """How an account is treated.

    Attributes:
        honours_key: A submit with an ``Idempotency-Key`` of before is the same job, and free.
        before: Seconds before a submit is charged.
        after: Seconds between the charge and the reply.
        lose: Of every so many submits one is charged and never answered; 0 for none.
        refuse: So many submits are answered by 429 first.
        queue: Seconds until a job runs.
        run: Seconds until it is done.
        size: Bytes of an output.
        pause: Seconds between two pieces of an output.
    """

    honours_key: bool = False
    before: float = 0.0
    after: float = 0.0
    lose: int = 0
    refuse: int = 0
    queue: float = 0.0
    run: float = 0.03
    size: int = 300
    pause: float = 0.0


def content(prompt: str, size: int) -> bytes:
    """The output of a prompt up to its ``#``: a picture of so many bytes, the same each time."""
    pattern = hashlib.sha256(prompt.partition("#")[0].encode()).digest()
    return (_PNG + pattern * (size // len(pattern) + 1))[: max(size, len(_PNG) + len(pattern))]


def provider_document(url: str) -> dict[str, Any]:
    """The provider as YAML has it.

    Args:
        url: Of an account.
    """
    return {
        "type": "rest",
        "config": {"base_url": url, "api_key_env": KEY},
        "auth": {"kind": "bearer"},
        "status": {
            "at": "body.status",
            "map": {
                "queued": "queued",
                "running": "running",
                "done": "succeeded",
                "canceled": "canceled",
            },
            "unknown": "fail",
        },
        "cancel": {"method": "POST", "path": "/jobs/${job.id}/cancel"},
    }


def generator_document(provider: str) -> dict[str, Any]:
    """The generator ``draw``, which makes a picture of a prompt, as YAML has it.

    Args:
        provider: The name of the provider's instance.
    """
    return {
        "name": "draw",
        "artifact_type": "image",
        "provider": provider,
        "io": {
            "input_schema": {
                "type": "object",
                "properties": {"prompt": {"type": "string"}},
                "required": ["prompt"],
            }
        },
        "execution": {
            "submit": {
                "path": "/jobs",
                "json": {"prompt": "${input.prompt}", "webhook": "${run.webhook_url?}"},
                "capture": {"id": "body.id"},
            },
            "poll": {
                "path": "/jobs/${job.id}",
                "every": "20ms",
                "backoff": 1,
                "max_every": "20ms",
            },
            "extract": {"outputs": [{"from": "body.url", "expires": "1h"}]},
        },
    }


class PaidProvider:
    """A running provider, as a test sees it.

    Args:
        ledger: The file of its charges.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._port = 0
        self.start()

    def start(self) -> None:
        """Begin to serve; again at the same address after :meth:`kill`.

        Raises:
            OSError: It does not come up.
        """
        # Not from the working directory (-P): there may lie a module of any name.
        command = (sys.executable, "-P", "-m", _SERVER, str(self._ledger), str(self._port))
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter, our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        told = self._process.stdout.readline() if self._process.stdout else b""
        if not told:
            self.kill()
            raise OSError("The paid provider does not start: its process tells why, above.")
        self._port = int(told)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        self._process.communicate()

    @property
    def url(self) -> str:
        """Its address; an account's lies below."""
        return f"http://127.0.0.1:{self._port}"

    def behave(self, account: str, behaviour: Behaviour) -> None:
        """Treat an account so from now on."""
        self._control(account, json.dumps(attrs.asdict(behaviour)).encode())

    def charges(self, account: str) -> Counter[str]:
        """How often each prompt was charged."""
        return Counter(self._control(account)["charges"])

    def charges_by_key(self, account: str) -> Counter[str]:
        """How often each ``Idempotency-Key`` was charged."""
        return Counter(self._control(account)["keys"])

    def lost(self, account: str) -> int:
        """How many submits were charged and never answered."""
        return int(self._control(account)["lost"])

    def asked(self, account: str) -> Counter[str]:
        """How often it was asked since it started: ``submit list poll cancel file``."""
        return Counter(self._control(account)["asked"])

    def _control(self, account: str, body: bytes | None = None) -> Any:
        method = "GET" if body is None else "PUT"
        request = urllib.request.Request(f"{self.url}/control/{account}", body, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310  # loopback
            return json.load(reply)


@frozen
class PaidAccount:
    """One account at a paid provider, for one test.

    Attributes:
        provider: Where it is; others may have accounts there.
        name: The account's.
    """

    provider: PaidProvider
    name: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.provider.url}/{self.name}"

    @property
    def env(self) -> dict[str, str]:
        """The credentials that are let in, by their variables."""
        return {KEY: "paid-secret"}

    def behave(self, behaviour: Behaviour) -> None:
        """Be treated so from now on."""
        self.provider.behave(self.name, behaviour)

    def charges(self) -> Counter[str]:
        """How often each prompt was charged."""
        return self.provider.charges(self.name)

    def charges_by_key(self) -> Counter[str]:
        """How often each ``Idempotency-Key`` was charged."""
        return self.provider.charges_by_key(self.name)

    def lost(self) -> int:
        """How many submits were charged and never answered."""
        return self.provider.lost(self.name)

    def asked(self) -> Counter[str]:
        """How often the account was asked: ``submit list poll cancel file``."""
        return self.provider.asked(self.name)
