"""The T-SQL bundle: schema `sqlexec`, rendered from sql/ and installed into a database."""

from sqlexec.bundle.installer import InstallReport, info, install
from sqlexec.bundle.render import render_install

__all__ = ["InstallReport", "info", "install", "render_install"]
