"""The application as the SAM CLI deploys it to an AWS on this machine."""
