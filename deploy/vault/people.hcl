# People who lead rotations by `rotator complete|hold|release|resolve|resume|submit`
# under their own login.  Read the story, write the request, see no secret.

# Requests and holds.
path "secret/data/rotator/commands/*" {
  capabilities = ["create", "read", "update"]
}
path "secret/data/rotator/holds/*" {
  capabilities = ["create", "read", "update", "delete"]
}

# A new key for an assisted rotation: put in, not read back.
# (`update` because a path's inbox is used again at its next rotation.)
path "secret/data/rotator/inbox/*" {
  capabilities = ["create", "update"]
}

# What is going on.  The records' secret fields are sealed; `seal` is not theirs.
path "secret/metadata/rotator/*" {
  capabilities = ["read", "list"]
}
path "secret/data/rotator/rotations/*" {
  capabilities = ["read"]
}
path "secret/data/rotator/history/*" {
  capabilities = ["read"]
}
path "secret/data/rotator/facts/*" {
  capabilities = ["read"]
}
path "secret/data/rotator/strays/*" {
  capabilities = ["read"]
}
path "secret/data/rotator/epoch" {
  capabilities = ["read"]
}

# Names, ages and versions of the credentials, without their values.
path "secret/metadata/trading/*" {
  capabilities = ["read", "list"]
}

# The mount's limits.
path "secret/config" {
  capabilities = ["read"]
}
