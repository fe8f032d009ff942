"""Cloud Tasks for Python: what runs a task function in a process of cloud-tasks-agent. Standard library only, Python >= 3.8.

The names are those of the Python package rms-cloud-tasks, so that a module written for it runs unchanged.
"""
