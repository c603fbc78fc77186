"""Measurements, run by hand: figures and no verdicts."""
