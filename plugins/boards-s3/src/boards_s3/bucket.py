"""Which bucket, where, and with whose keys."""

import ipaddress
import re
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from attrs import Attribute, field, frozen

__all__ = ["Bucket", "Keys"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_REGION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,40}")
# What S3 calls safe in a key; nothing of it is escaped in an address.
_SEGMENT: Final = re.compile(r"[A-Za-z0-9!_.*'()-]{1,100}")


def _check_name(_: object, __: "Attribute[str]", value: str) -> None:
    if not _NAME.fullmatch(value) or ".." in value:
        raise ValueError(
            f"{value[:80]!r} is no name of a bucket: 3 to 63 letters, digits, '.' and '-'"
        )


def _check_region(_: object, __: "Attribute[str]", value: str) -> None:
    if not _REGION.fullmatch(value):
        raise ValueError(f"{value[:80]!r} is no region, such as eu-central-1")


def _check_prefix(_: object, __: "Attribute[str]", value: str) -> None:
    for segment in value.split("/") if value else ():
        if not _SEGMENT.fullmatch(segment) or not segment.strip("."):
            raise ValueError(
                f"the prefix has {segment[:80]!r}: between slashes, letters, digits and any of"
                " !_.*'()- may stand"
            )


def _check_endpoint(_: object, __: "Attribute[str | None]", value: str | None) -> None:
    if value is None:
        return
    # Not repeated: somebody may have written a password into it.
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the endpoint is no address, such as https://s3.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the endpoint has more than a scheme, a host, a port and a path")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("the endpoint's port is no number up to 65535") from None


def _without_slashes(value: str) -> str:
    return value.strip("/")


def _without_last_slash(value: str | None) -> str | None:
    return value.rstrip("/") if value else None


@frozen
class Keys:
    """What requests are signed with.

    Attributes:
        id: The access key's id, which is no secret.
        secret: The secret access key.
        token: The session's token, where the keys are temporary.
    """

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@frozen
class Bucket:
    """A bucket, or a part of one.

    Attributes:
        name: The bucket's name.
        prefix: What the keys of all objects begin with, without slashes at its ends.
        region: Where it is; servers other than Amazon's mostly do not mind.
        endpoint: The server's address without the bucket; None for Amazon's of the region.
        path_style: Whether the bucket stands in the path of addresses, and not in their host. By
            default where there is an endpoint, and where the name has a dot, which no
            certificate of Amazon's fits.
        public: Whether everybody can reach the endpoint, so that signed addresses may be handed
            out. By default of HTTPS and hosts that look public.
        keys: None for those of the container or machine that this runs on.

    Raises:
        ValueError: One of them cannot be; told without any secret.
    """

    name: str = field(validator=_check_name)
    prefix: str = field(default="", converter=_without_slashes, validator=_check_prefix)
    region: str = field(default="us-east-1", validator=_check_region)
    endpoint: str | None = field(
        default=None, converter=_without_last_slash, validator=_check_endpoint
    )
    path_style: bool = field()
    public: bool = field()
    keys: Keys | None = None

    @path_style.default
    def _path_style(self) -> bool:
        return self.endpoint is not None or "." in self.name

    @public.default
    def _public(self) -> bool:
        return self.endpoint is None or _looks_public(self.endpoint)

    @property
    def server(self) -> str:
        """The server's address; without the bucket."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"

    @property
    def where(self) -> str:
        """The bucket as messages name it."""
        return f"bucket {self.name!r} at {self.server}"

    def key(self, name: str) -> str:
        """The key of the object of this name."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def config(self) -> dict[str, Any]:
        """The same in the words of :class:`obstore.store.S3Store`.

        All of them are said: the library takes what is left out from the process's environment.
        """
        scheme, host, path, _, _ = urlsplit(self.server)
        hosted = urlunsplit((scheme, f"{self.name}.{host}", path, "", ""))
        return {
            "bucket": self.name,
            "region": self.region,
            "endpoint": self.server if self.path_style else hosted,
            "virtual_hosted_style_request": not self.path_style,
        }


def _looks_public(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        inner = (".local", ".internal", ".localhost", ".lan", ".home.arpa")
        return parts.scheme == "https" and "." in host and not host.endswith(inner)
