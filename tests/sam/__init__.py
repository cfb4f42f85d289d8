"""The functions as the SAM CLI builds them and runs them in containers."""
