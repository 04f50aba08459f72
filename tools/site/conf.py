"""Sphinx's settings for the site, whose pages tools/course_site.py writes."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))  # the package, for its reference

project = "From LeNet-5 to AlexNet"
author = "the authors of the course"
copyright = "2026, the authors of the course, MIT licence"  # noqa: A001
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
templates_path = [str(HERE / "templates")]
default_role = "code"
highlight_language = "none"

# The committed outputs are the page.
nb_execution_mode = "off"
nb_code_prompt_show = "Show the {type}"
nb_code_prompt_hide = "Hide the {type}"
myst_enable_extensions = ["dollarmath"]
myst_all_links_external = True  # course_site.py has set them, tests/test_site.py reads

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "From LeNet-5 to AlexNet"
html_static_path = [str(HERE / "static")]
html_css_files = ["course.css"]
html_copy_source = html_show_sourcelink = False
html_show_sphinx = False
# course_site.py puts MathJax there, with the slides, which need it, too
mathjax_path = "../slides/lib/mathjax/tex-svg.js"
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/course.html",
        "sidebar/scroll-end.html",
    ]
}


def with_levels(
    app: Any, page: str, template: str, context: dict[str, Any], tree: Any
) -> None:
    """Give Sphinx's captions, which are headings, the level that they lack."""
    navigation = context.get("furo_navigation_tree", "")
    levels = 'role="heading" aria-level="2"'
    context["furo_navigation_tree"] = navigation.replace('role="heading"', levels)


def setup(app: Any) -> None:
    """Sphinx calls it; 900 comes after the theme's own."""
    app.connect("html-page-context", with_levels, priority=900)
