"""One cycle of the controller: observe, plan, act; may import the layer."""
