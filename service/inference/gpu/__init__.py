"""Runs predictions on a GPU: bound buffers, CUDA graphs, lower precisions."""
