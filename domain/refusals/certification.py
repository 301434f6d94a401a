"""Certifications, their papers, and decisions on them."""
