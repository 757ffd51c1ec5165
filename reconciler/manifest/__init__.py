"""YAML into a Catalog, with every problem of every file at once. Speaks to files; never to the network, the state or the plan.

Reading goes down this list: `files` (which), `front` (bytes into text), `parse` and `tree` (marked nodes), `project_file` and
`catalog` (values), `load` (the doors for commands). `schema` and `edit` serve editors and `fmt`.
"""
