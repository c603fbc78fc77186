"""The services that ship: one module each, named by an entry point."""
