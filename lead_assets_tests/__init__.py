"""Behaviour of the product, room by room; real parts on loopback."""
