"""THE OUTSIDE WORLD: the platforms of the contracts, their faults, and a sample county's departments.

Belongs here: what other organisations run. Written from the contract pages and the domain standard alone.
Must not: any import of ours, and none of ours imports it; a payload builder shared with the pipeline.
"""
