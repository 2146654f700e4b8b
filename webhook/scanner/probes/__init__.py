"""Starting an image as Kubeflow would, and looking at what it answers."""
