"""Parallel execution of jobs: on threads of this process, or on the workers of a dask cluster."""
