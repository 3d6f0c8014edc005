//go:build tools

// Package vault pins the HashiCorp Vault server that the tests start.
package vault

import _ "github.com/hashicorp/vault"
