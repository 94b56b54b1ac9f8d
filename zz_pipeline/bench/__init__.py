"""Measurements that an operator can repeat on the county's own machine: `zz bench`.

Belongs here: made-up rows of a wanted size and share of faults, clocks, peak memory. Must not: anything a night needs.
"""
