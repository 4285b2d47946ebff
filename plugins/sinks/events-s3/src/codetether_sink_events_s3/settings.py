"""The settings of the archive: `[plugins.events-s3]`."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen, validators

MEBIBYTE = 1024 * 1024


@frozen(kw_only=True)
class EventsS3Settings:
    """Which bucket gets the sealed event files, and how.

    Attributes:
        bucket: None: nothing is archived.
        prefix: what stands before `<session>/<file>` in the keys.
        endpoint: of a store other than Amazon's, e.g. `https://s3.example.org:9000`; its buckets are in the path.
        access_key, secret_key: None: from the credential sources (secret `s3`), else by boto3's own chain.
        lock_mode, lock_days: each object is locked for so many days; the bucket must have object lock.
        retention_days: a stored file is removed here after so many days; None: it stays.
        quota_mb: megabytes of files not stored yet; a warning comes at 80 % of it. Nothing is ever dropped.
    """

    bucket: str | None = field(default=None, metadata={"env": "CODETETHER_S3_BUCKET"})
    prefix: str = field(default="events/", metadata={"env": "CODETETHER_S3_PREFIX"})
    endpoint: str | None = field(default=None, metadata={"env": "CODETETHER_S3_ENDPOINT"})
    access_key: str | None = field(
        default=None, repr=False, metadata={"env": "CODETETHER_S3_ACCESS_KEY", "secret": True}
    )
    secret_key: str | None = field(
        default=None, repr=False, metadata={"env": "CODETETHER_S3_SECRET_KEY", "secret": True}
    )
    region: str = field(default="us-east-1", metadata={"env": "CODETETHER_S3_REGION"})
    lock_mode: Literal["governance", "compliance"] | None = None
    lock_days: int = field(default=30, validator=validators.ge(1))
    retention_days: float | None = field(default=None, validator=validators.optional(validators.ge(0)))
    quota_mb: int = field(default=1024, validator=validators.ge(1))

    @property
    def target(self) -> str:
        """The place of the archive, without any key."""
        where = (self.endpoint or f"aws/{self.region}").rpartition("@")[2]
        return f"{where}/{self.bucket}/{self.prefix}"
