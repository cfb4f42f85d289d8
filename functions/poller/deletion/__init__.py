"""What a deleted stack still owes to Keptn and ECS; may import control and the layer."""
