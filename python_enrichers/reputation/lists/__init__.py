"""Lists: fetched and kept (store), read, matched."""
