"""Layers as streams: tar -> what is kept of one layer -> what the layers together show."""
