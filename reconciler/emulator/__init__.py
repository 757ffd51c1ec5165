"""The trainer API on loopback: part of the product, and the oracle of every test about money.

A second reading of the API's specification: it never imports the client (`pixazo/`), and the client never imports it.
"""
