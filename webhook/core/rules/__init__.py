"""The rules: one file each, a pure function from what is judged to Violations.

`uses` hands each rule what it looks at. A rule knows nothing of exemptions and modes: `decision` weighs what it finds.
"""
