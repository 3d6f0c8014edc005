# The watching daemon: reads credentials (an inspection signs with the secret),
# writes nothing but its own facts.  Replace `secret/trading` and `secret/rotator`
# by the prefixes of `store.paths` and `store.state`.

# Credentials: read only.
path "secret/metadata/trading/*" {
  capabilities = ["read", "list"]
}
path "secret/data/trading/*" {
  capabilities = ["read"]
}

# Its own state: facts, epoch, first sightings and the fingerprints' key.
path "secret/metadata/rotator/*" {
  capabilities = ["read", "list"]
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
path "secret/data/rotator/pepper" {
  capabilities = ["create", "read", "update"]
}

# Read, to tell what is going on; written by others.
path "secret/data/rotator/rotations/*" {
  capabilities = ["read"]
}
path "secret/data/rotator/history/*" {
  capabilities = ["read"]
}
path "secret/data/rotator/commands/*" {
  capabilities = ["read"]
}
path "secret/data/rotator/holds/*" {
  capabilities = ["read"]
}

# The mount's limits (retention, number of versions).
path "secret/config" {
  capabilities = ["read"]
}
