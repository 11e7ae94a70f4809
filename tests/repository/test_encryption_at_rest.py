"""Documents in a bucket are encrypted by the bucket's default, or by what the environment names."""

import os
import uuid
from collections.abc import Iterator

import pytest

from repository.s3_store import KEPT_IN_MEMORY, PART, S3Address, S3BlobStore
from tests.blob_stores import BUCKET, client, object_store
from tests.repository.test_blob_stores import content_of, keep

KEY = "arn:aws:kms:us-east-1:000000000000:key/3f1d2c4b-0000-4000-8000-000000000001"
SIZES = [100, KEPT_IN_MEMORY + 1, PART + 1]


@pytest.fixture
def endpoint() -> Iterator[str]:
    with object_store() as url:
        yield url


def encryption_of(endpoint: str, content: bytes) -> tuple[str | None, str | None]:
    """How an object lies in the bucket, once it was kept there and came back the same."""
    prefix = str(uuid.uuid4())
    store = S3BlobStore(S3Address(bucket=BUCKET, prefix=prefix, endpoint=endpoint))
    key, _ = keep(store, content)
    assert content_of(store, key) == content
    found = client(endpoint).head_object(Bucket=BUCKET, Key=f"{prefix}/{key}")
    return found.get("ServerSideEncryption"), found.get("SSEKMSKeyId")


@pytest.mark.parametrize("size", SIZES)
def test_without_a_word_nothing_is_asked_of_the_bucket(endpoint: str, size: int) -> None:
    assert encryption_of(endpoint, os.urandom(size))[0] in (None, "AES256")


@pytest.mark.parametrize("size", SIZES)
def test_the_environment_names_the_key(endpoint: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms")
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", KEY)
    assert encryption_of(endpoint, os.urandom(size)) == ("aws:kms", KEY)


@pytest.mark.parametrize("size", SIZES)
def test_the_default_of_the_bucket_holds_for_every_document(endpoint: str, size: int) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}}
    client(endpoint).put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert encryption_of(endpoint, os.urandom(size))[0] == "aws:kms"
