"""Which folders become which packages; everything else is in pyproject.toml.

`app/` is installed as `vecaf_studio`: a package called `app` would collide with other people's.
"""

from setuptools import find_namespace_packages, setup

PAGES = [f"vecaf_studio.{name}" for name in find_namespace_packages("app")]

setup(
    packages=[*find_namespace_packages(include=["vecaf", "vecaf.*"]), "vecaf_studio", *PAGES],
    package_dir={"vecaf_studio": "app"},
)
