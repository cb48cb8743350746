"""Configuration of the documentation: what is written by hand, and what is drawn from the code."""

import sys
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

import lowrank_la

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import readme_table  # noqa: E402

project = "lowrank_la"
author = "The lowrank_la developers"
copyright = f"2026, {author}"
version = release = lowrank_la.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "examples", "gallery/*.ipynb"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# The reference follows the public names: a new one appears without being listed.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "doc_module": ("lowrank_la",),
    "backreferences_dir": "gallery/backreferences",
    "download_all_examples": False,
    "abort_on_example_error": True,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 10,
    "parallel": 2,  # examples at a time
}

html_theme = "pydata_sphinx_theme"
html_title = f"{project} {version}"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "tango",
}
html_context = {"default_mode": "light"}
html_sidebars = {"changelog": [], "benchmarks": [], "developers": []}
html_math_renderer = "mathml"


def _mathml(as_block):
    def visit(translator, node):
        math = tex2mathml(node.astext(), as_block=as_block)
        translator.body.append(f'<div class="math">{math}</div>\n' if as_block else math)
        raise SkipNode

    return visit


def _skip_member(app, what, name, member, skip, options):
    """Leave out what scikit-learn adds to a class for routing metadata."""
    return skip or name.startswith("set_") and name.endswith("_request")


def _draw_results(app, docname, source):
    if docname == "benchmarks":
        source[0] = source[0].replace("{{ results }}", readme_table.details())
        for path in readme_table.RESULTS.glob("*.json"):
            app.env.note_dependency(path)


def setup(app):
    """Formulas as MathML, which needs no script; tables from the measured results."""
    app.add_html_math_renderer("mathml", (_mathml(False), None), (_mathml(True), None))
    app.connect("autodoc-skip-member", _skip_member)
    app.connect("source-read", _draw_results)
