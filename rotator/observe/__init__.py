"""What Rotator shows: metrics, logs and the audit trail, never a secret."""
