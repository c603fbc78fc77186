"""Engines with a HiveServer2 interface: sessions, staged rows, slices replaced by overwrite."""
