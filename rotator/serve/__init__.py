"""The one HTTP port: metrics, health, and a page that lists the links."""
