"""The program of the container that brings a task's files: `python3 -c UNPACK BUCKET KEY FOLDER`."""

from typing import Final

# Images of Lambda's runtimes may have their boto3 where only the runtime looks for it.
UNPACK: Final = """\
import io, os, sys, tarfile
sys.path.append("/var/runtime")
import boto3
bucket, key, folder = sys.argv[1:]
content = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
with tarfile.open(fileobj=io.BytesIO(content)) as archive:
    archive.extractall(folder, filter="data")
os.chmod(folder, 0o777)
"""
