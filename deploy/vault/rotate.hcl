# The rotating daemon: publishes new versions at the armed paths and keeps its
# journal.  Narrow `secret/trading/` to what is armed, and give the watch policy
# for the rest.  It can remove no path: metadata is never deleted.

# Credentials: write by compare-and-set, soft-delete old versions, bring them back.
path "secret/metadata/trading/*" {
  capabilities = ["read", "list", "patch"]
}
path "secret/data/trading/*" {
  capabilities = ["create", "read", "update"]
}
path "secret/delete/trading/*" {
  capabilities = ["update"]
}
path "secret/undelete/trading/*" {
  capabilities = ["update"]
}

# Its own state.
path "secret/metadata/rotator/*" {
  capabilities = ["read", "list"]
}
path "secret/data/rotator/rotations/*" {
  capabilities = ["create", "read", "update"]
}
path "secret/undelete/rotator/rotations/*" {
  capabilities = ["update"]
}
path "secret/destroy/rotator/rotations/*" {
  capabilities = ["update"]
}
path "secret/data/rotator/history/*" {
  capabilities = ["create", "read", "update"]
}
path "secret/data/rotator/facts/*" {
  capabilities = ["create", "read", "update"]
}
path "secret/data/rotator/strays/*" {
  capabilities = ["create", "read", "update"]
}
path "secret/data/rotator/epoch" {
  capabilities = ["create", "read", "update"]
}
path "secret/data/rotator/seal" {
  capabilities = ["create", "read", "update"]
}
path "secret/data/rotator/pepper" {
  capabilities = ["create", "read", "update"]
}

# What people ask for: obeyed, never written.
path "secret/data/rotator/commands/*" {
  capabilities = ["read"]
}
path "secret/data/rotator/holds/*" {
  capabilities = ["read"]
}

# What people hand in: taken, then destroyed.
path "secret/data/rotator/inbox/*" {
  capabilities = ["read"]
}
path "secret/destroy/rotator/inbox/*" {
  capabilities = ["update"]
}

# The mount's limits (retention, number of versions).
path "secret/config" {
  capabilities = ["read"]
}
