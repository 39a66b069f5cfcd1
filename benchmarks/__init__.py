"""Measurements against peers, side by side. Nothing here is a test: a figure is reported, never asserted."""
