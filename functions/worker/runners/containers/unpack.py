"""The programs of the container that makes a task's folders ready.

It is run as `python3 -c UNPACK [BUCKET KEY] FOLDER`, or, for the files of secrets as well, as
`python3 -c WRITE_SECRETS+UNPACK LAYOUT OWNER [BUCKET KEY] FOLDER`.
"""

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

# LAYOUT is JSON: by folder and file, the variable with the content. OWNER is the task's user, UID or UID:GID,
# who alone can read the files; where it is empty, only the image knows the user, and everybody there can.
WRITE_SECRETS: Final = """\
import json, os, sys
layout, owner = json.loads(sys.argv.pop(1)), sys.argv.pop(1)
user, _, group = owner.partition(":")
owners = (int(user), int(group or -1)) if owner else (-1, -1)
for folder, files in layout.items():
    for name, variable in files.items():
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(os.environb.pop(variable.encode()))
        os.chown(path, *owners)
        os.chmod(path, 0o400 if owner else 0o444)
    os.chown(folder, *owners)
    os.chmod(folder, 0o500 if owner else 0o555)
"""
