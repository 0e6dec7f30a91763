"""What a bucket's server answers, told so that the reader knows what to do."""

import re
from typing import Final

from boards.errors import StorageError
from boards_s3.bucket import Bucket

__all__ = ["is_missing", "told"]

_CODE: Final = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_STATUS: Final = re.compile(r"non-2xx status code: (\d{3})")

_WRONG_KEYS: Final = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "TokenRefreshRequired",
    }
)
_WRONG_REGION: Final = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "PermanentRedirect",
        "TemporaryRedirect",
        "IllegalLocationConstraintException",
    }
)
_CLOCK: Final = "RequestTimeTooSkewed"
# Where a machine's or a container's own keys come from, which is asked where none are set.
_METADATA: Final = re.compile(r"/latest/(api/token|meta-data)|169\.254\.17\d\.\d+|AssumeRole")

_RIGHTS: Final = (
    "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket"
)
_BODY: Final = 300


def is_missing(error: Exception) -> bool:
    """Whether there is no such object; a bucket that is missing is another matter."""
    return isinstance(error, FileNotFoundError) and "<Code>NoSuchBucket</Code>" not in str(error)


def told(error: Exception, bucket: Bucket, doing: str) -> StorageError:
    """An error of the client as one of Boards.

    Nothing that the server wrote is repeated but its code: its texts quote requests.

    Args:
        error: What :mod:`obstore` raised.
        bucket: Where.
        doing: What was to be done, as in "write KEY".
    """
    text = str(error).partition("\n\nDebug source")[0]
    status = int(found[1]) if (found := _STATUS.search(text)) else None
    code = found[1] if (found := _CODE.search(text)) else None
    shown = " ".join(str(one) for one in (status, code) if one) or "no answer"
    where, retryable = bucket.where, False
    if code == "NoSuchBucket":
        message = f"There is no {where}."
        remedy = (
            "Create the bucket, or correct BOARDS_S3_BUCKET, BOARDS_S3_REGION or"
            " BOARDS_S3_ENDPOINT."
        )
    elif code == _CLOCK:
        message = f"The {where} refuses the time of requests ({shown})."
        remedy = "Set this machine's clock."
    elif code in _WRONG_REGION or status in (301, 307):
        message = f"The {where} is not in the region {bucket.region} ({shown})."
        remedy = "Set BOARDS_S3_REGION to the bucket's region."
    elif code in _WRONG_KEYS or (status == 401):
        message = f"The {where} does not accept the keys ({shown}), to {doing}."
        remedy = (
            "Set BOARDS_S3_ACCESS_KEY_ID and BOARDS_S3_SECRET_ACCESS_KEY, or the AWS_ ones, to keys"
            " of this bucket's account."
        )
    elif status == 403:
        message = f"The keys may not {doing} in the {where} ({shown})."
        remedy = f"Check that they are right, and allow them {_RIGHTS}."
    elif status is None and bucket.keys is None and _METADATA.search(text):
        message = f"There are no keys for the {where}: this machine or container has none."
        remedy = "Set BOARDS_S3_ACCESS_KEY_ID and BOARDS_S3_SECRET_ACCESS_KEY, or the AWS_ ones."
    elif isinstance(error, FileNotFoundError):
        message = f"The {where} has no such object; it was to {doing}."
        remedy = "It was deleted since, by hand or by another process."
    elif status is None and "HTTP error" in text:
        message = f"The {where} does not answer; it was to {doing}."
        remedy = "Check BOARDS_S3_ENDPOINT, the network and the server, then try again."
        retryable = True
    elif status is not None:
        message = f"The {where} answers {shown}; it was to {doing}."
        retryable = status >= 500 or status in (408, 429)
        remedy = "Try again." if retryable else "See what the server's documentation says of it."
    else:
        message = f"The {where} failed: {text[:_BODY]}"
        remedy = f"It was to {doing}. Check the server, and the settings BOARDS_S3_..."
    raised = StorageError(message, remedy=remedy)
    raised.retryable = retryable
    return raised
