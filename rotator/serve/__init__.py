"""The one HTTP port: metrics, health, the status page, and the same as JSON."""
