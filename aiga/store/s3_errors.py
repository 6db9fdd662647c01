"""What S3 services and their client say, as one line with a remedy."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
)

from aiga.errors import AigaError, TransientError, UserError
from aiga.store.errors import Blocked
from aiga.store.s3_address import S3Address

UNREACHABLE = (ConnectionError, HTTPClientError, IncompleteReadError, ResponseStreamingError, CredentialRetrievalError)
"""What the network does; it may pass."""
_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_PASSING = {"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "OperationAborted"}
_DENIED = f"access is denied (grant it to these credentials, or {_CREDENTIALS})"
_UNKNOWN = f"the credentials are not accepted: {{code}} ({_CREDENTIALS})"
_ELSEWHERE = "the bucket is in another region: {code} (add ?region= to the address)"
_BLOCKED = "it, or a part of it, is a file where a folder is needed, or a folder (choose another key)"
_MEANINGS = {
    "NoSuchBucket": "there is no bucket {bucket} (create it, or mend the address)",
    "InvalidBucketName": "{bucket} cannot be the name of a bucket (mend the address)",
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"), _UNKNOWN),
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "Forbidden", "403", "401"), _DENIED),
    **dict.fromkeys(("PermanentRedirect", "AuthorizationHeaderMalformed", "301"), _ELSEWHERE),
    "RequestTimeTooSkewed": "this machine's clock is wrong (set it)",
}
_OBSTACLES = {"ExistingObjectIsDirectory", "ObjectParentIsFile"}
MISSING = {"NoSuchKey", "NotFound", "404"}


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def explain(error: ClientError | BotoCoreError | ValueError, address: S3Address, doing: str) -> AigaError:
    """The error as the user, or a runner that may try again, should see it."""
    where = f"store {address}: {doing}"
    if isinstance(error, ClientError):
        return _refused(error, address, where)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return UserError(f"{where}: there are no credentials ({_CREDENTIALS})")
    if isinstance(error, UNREACHABLE):
        return TransientError(f"{where}: {address.endpoint or 'AWS'} cannot be reached: {_line(error)}")
    return UserError(f"{where}: {_line(error)}")


def _refused(error: ClientError, address: S3Address, where: str) -> AigaError:
    said = code(error)
    if said in _OBSTACLES:
        return Blocked(f"{where}: {_BLOCKED}")
    if said in _MEANINGS:
        return UserError(f"{where}: {_MEANINGS[said].format(code=said, bucket=address.bucket)}")
    if said in _PASSING or status(error) >= 500 or status(error) == 429:
        return TransientError(f"{where}: the service cannot just now: {_line(error)}")
    return UserError(f"{where}: the service refuses: {_line(error)}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
