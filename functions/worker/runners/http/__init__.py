"""Tasks that are an HTTP call: to an address that was checked, within bounds, at most once."""
