"""A small client for Kubernetes: one Lease, read and written under its resourceVersion."""
