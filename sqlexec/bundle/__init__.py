"""The T-SQL bundle: schema `sqlexec`, rendered from sql/ and installed into a database."""

from sqlexec.bundle.installer import InstallReport, info, install
from sqlexec.bundle.preview import Change, preview
from sqlexec.bundle.removal import uninstall
from sqlexec.bundle.render import prepare_server, render_install

__all__ = [
    "Change",
    "InstallReport",
    "info",
    "install",
    "prepare_server",
    "preview",
    "render_install",
    "uninstall",
]
