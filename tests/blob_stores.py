"""Blob stores under test: a folder, and buckets of an object store that runs on loopback."""

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_EC2_METADATA_DISABLED": "true"}
BUCKET = "documents"


@contextmanager
def object_store() -> Iterator[str]:
    """An S3 server on a free port of loopback with one bucket; the URL of its endpoint."""
    from moto.server import ThreadedMotoServer  # a second to import, for few tests

    os.environ.update(CREDENTIALS)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        client(endpoint).create_bucket(Bucket=BUCKET)
        yield endpoint
    finally:
        # What it holds is kept by the process, not by the server: the next one would have it too.
        urllib.request.urlopen(f"{endpoint}/moto-api/reset", b"", timeout=30).close()
        server.stop()


def client(endpoint: str):  # type: ignore[no-untyped-def] - boto3 makes its classes at run time
    """What a user of the bucket sees without our code."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="tests",
        aws_secret_access_key="tests",
        # The server of the tests sums the sums of parts, which clients then compare with the sum of the whole.
        config=Config(response_checksum_validation="when_required"),
    )
