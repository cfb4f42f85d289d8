"""What a deleted stack still owes to Keptn and to the services of steps; may import control and the layer."""
