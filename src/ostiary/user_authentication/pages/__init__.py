"""The pages that people see: templates, catalogues, assets, and the one function that renders them."""

from ostiary.user_authentication.pages.render import check, render

__all__ = ["check", "render"]
