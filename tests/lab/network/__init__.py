"""Subnets, routes, rules, names: packets between hosts."""
