"""What of deploy/ is made, not written: `make manifests` runs it, tests/deploy proves that nothing is out of date.

The CustomResourceDefinitions come from the pydantic models that read the files and the objects, so that the API server,
`kubectl explain` and nbgate never differ on a field. The chart cannot read outside its folder, nor can kustomize: what
both hold is copied.
"""
