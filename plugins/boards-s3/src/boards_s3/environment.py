"""The bucket as a host's environment describes it."""

from typing import TYPE_CHECKING, Final

from boards.errors import SettingsError
from boards_s3.bucket import Bucket, Keys

if TYPE_CHECKING:
    from boards.settings import Settings

__all__ = ["bucket_of"]

_BUCKET: Final = "BOARDS_S3_BUCKET"
_OWN_KEYS: Final = ("BOARDS_S3_ACCESS_KEY_ID", "BOARDS_S3_SECRET_ACCESS_KEY")
_AWS_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_YES: Final = ("1", "true", "yes", "on")
_NO: Final = ("0", "false", "no", "off")


def bucket_of(settings: "Settings") -> Bucket:
    """The bucket that the ``BOARDS_S3_*`` variables describe, and the usual ``AWS_*`` ones.

    Raises:
        SettingsError: One is missing, or cannot be used; none of its secrets is told.
    """
    return _Reader(settings).bucket()


class _Reader:
    def __init__(self, settings: "Settings") -> None:
        self._get = settings.secret

    def bucket(self) -> Bucket:
        name = self._get(_BUCKET)
        if name is None:
            raise SettingsError(
                "The storage s3 does not know into which bucket artifacts go.",
                remedy=f"Set {_BUCKET}, or BOARDS_STORAGE=local for files of this machine.",
            )
        flags = {
            "path_style": self._flag("BOARDS_S3_PATH_STYLE"),
            "public": self._flag("BOARDS_S3_PUBLIC"),
        }
        try:
            return Bucket(
                name,
                prefix=self._get("BOARDS_S3_PREFIX") or "",
                region=self._first("BOARDS_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
                or "us-east-1",
                endpoint=self._first(
                    "BOARDS_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"
                ),
                keys=self._keys(),
                **{name: flag for name, flag in flags.items() if flag is not None},
            )
        except ValueError as error:
            raise SettingsError(
                f"The storage s3 cannot be set up: {error}.",
                remedy="Correct BOARDS_S3_BUCKET, _PREFIX, _REGION or _ENDPOINT.",
            ) from None

    def _keys(self) -> Keys | None:
        # Together, never the one's id with the other's secret.
        own = any(self._get(name) for name in _OWN_KEYS)
        names = _OWN_KEYS if own else _AWS_KEYS
        token = "BOARDS_S3_SESSION_TOKEN" if own else "AWS_SESSION_TOKEN"
        key_id, secret = (self._get(name) for name in names)
        if key_id is not None and secret is not None:
            return Keys(key_id, secret, self._get(token))
        if key_id is None and secret is None:
            return None
        lacking = names[0] if key_id is None else names[1]
        raise SettingsError(
            f"{lacking} is not set, but its other half is.", remedy=f"Set {lacking}, or neither."
        )

    def _flag(self, name: str) -> bool | None:
        text = self._get(name)
        if text is None:
            return None
        if text.lower() not in (*_YES, *_NO):
            raise SettingsError(f"{name} is {text!r}: expected 1 or 0.", remedy=f"Change {name}.")
        return text.lower() in _YES

    def _first(self, *names: str) -> str | None:
        return next((value for name in names if (value := self._get(name))), None)
