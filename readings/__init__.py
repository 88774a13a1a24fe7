"""The vocabulary of Skywatt: streams, readings, settings, and how to reach the servers.

Every other room may import this one; it imports none of them.
"""
