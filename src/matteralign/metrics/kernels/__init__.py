"""Inner loops, compiled by numba; each releases the GIL and runs on one thread.

Arguments are arrays and numbers as the callers have them: the types are numba's business.
"""
