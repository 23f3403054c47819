"""The normalizations that Reciprocal Normalization is compared with, one per module.

They share the interface of :class:`rn_model.layers.domain_norm.DomainNorm`.
"""
