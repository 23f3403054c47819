"""The documentation site: `make site` builds it without warnings; it works without internet."""

from importlib.metadata import version as version_of

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

project = "reciprocal-norm"
author = "The reciprocal-norm authors"
version = release = version_of("reciprocal-norm")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# The list of the pages that a visitor of the repository reads; the site has the index.
exclude_patterns = ["README.md", "results"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "description"
# What a type hint alone names is not what a reader has to install to build this.
autodoc_preserve_defaults = True
html_theme = "furo"
html_title = "reciprocal-norm"
html_show_sourcelink = False
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"


def _inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def _block(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(tex2mathml(node.astext(), as_block=True))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Write formulas as MathML, which browsers draw themselves: no script, nothing to fetch."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
