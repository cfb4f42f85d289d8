"""What is known of Keptn: its API, its events and its oddities; may import no room but jsonpath."""
