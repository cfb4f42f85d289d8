"""The least that a poller could do: import boto3 and requests, make the tick's clients, send one GET."""

import os

import boto3
import requests
from botocore.config import Config

config = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=32,
)
boto3.client("secretsmanager", config=config)
boto3.client("dynamodb", config=config)
requests.Session().get(os.environ["KEPTN_API_URL"] + "/event/triggered/", timeout=10)
