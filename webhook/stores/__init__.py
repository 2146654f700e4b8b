"""Where scans and policy live, and how they reach memory: files at present.

The room's rule: bytes come in bounded, values go out whole. What cannot be read is a value too, a `Problem` that names
file, document, field and cure; it never makes another document unreadable, and what was read before stays in force.
Importing or constructing starts no thread, and nothing here imports the rooms above: server, scanner, cli.
"""
