"""What a user runs against a real Keptn or a deployed stack; may import the functions and the layer."""
