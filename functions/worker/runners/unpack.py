"""The program of the container that makes a task's folder ready: `python3 -c UNPACK [BUCKET KEY] FOLDER`."""

from typing import Final

# Images of Lambda's runtimes may have their boto3 where only the runtime looks for it.
UNPACK: Final = """\
import io, os, sys, tarfile
sys.path.append("/var/runtime")
*archive, folder = sys.argv[1:]
if archive:
    import boto3
    bucket, key = archive
    content = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        files.extractall(folder, filter="data")
os.chmod(folder, 0o777)
"""
