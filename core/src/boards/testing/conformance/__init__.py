"""Kits that tell whether a plugin keeps the promises that Boards relies on.

A kit is a table of checks, and a class for pytest that is made from it. See
:mod:`boards.testing.conformance.checks`.
"""
