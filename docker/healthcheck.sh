#!/usr/bin/env bash
# Healthy: a Python script runs inside the server, and the bundle is there.
set -euo pipefail

SQLCMDPASSWORD=$MSSQL_SA_PASSWORD /opt/mssql-tools18/bin/sqlcmd \
    -S localhost -U sa -C -l 10 -b -d sqlexec -i "$(dirname "${BASH_SOURCE[0]}")/healthcheck.sql"
