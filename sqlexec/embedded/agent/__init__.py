"""SQL Server Agent of the stand-in: msdb's jobs (msdb.sql), and who runs them (agent.py)."""

from sqlexec.embedded.agent.agent import Agent, install

__all__ = ["Agent", "install"]
