"""The built-in services: one module each, named by an entry point."""
