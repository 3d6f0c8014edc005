"""HashiCorp Vault as a store: KV v2 over hvac logins and a urllib3 pool."""
