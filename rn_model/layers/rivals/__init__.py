"""The normalizations that Reciprocal Normalization is compared with."""
