"""Engines that speak HiveServer2: sessions, staged rows, slices swapped in by static overwrite."""
