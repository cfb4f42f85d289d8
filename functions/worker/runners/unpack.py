"""The program of the container that brings a task's files: `python3 -c UNPACK BUCKET KEY FOLDER`."""

from typing import Final

UNPACK: Final = """\
import boto3, io, os, sys, tarfile
bucket, key, folder = sys.argv[1:]
content = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
with tarfile.open(fileobj=io.BytesIO(content)) as archive:
    archive.extractall(folder, filter="data")
os.chmod(folder, 0o777)
"""
