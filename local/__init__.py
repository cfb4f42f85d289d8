"""A laptop's stand-ins for Keptn and AWS; never deployed."""
