"""Keys of providers kept in HashiCorp Vault or OpenBao, for codetether."""
