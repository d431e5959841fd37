"""Compute contexts: how a plan is carried out."""
