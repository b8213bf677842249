"""Assumptions, one a file."""
