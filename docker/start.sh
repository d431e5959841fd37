#!/usr/bin/env bash
# The container's first process: Launchpad, SQL Server and, once that answers, the bundle.
# Ends when one of the two servers ends, or when the bundle cannot be installed.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
mssql=/opt/mssql/bin

refuse() {
    echo "sqlexec: $*" >&2
    exit 1
}

# SQL Server's own rule: 8 characters, of three of the four kinds.
is_strong() {
    local kinds=0 kind
    for kind in '[[:upper:]]' '[[:lower:]]' '[[:digit:]]' '[^[:alnum:]]'; do
        [[ "$1" =~ $kind ]] && ((kinds += 1))
    done
    ((${#1} >= 8 && kinds >= 3))
}

# Documents and examples are full of passwords that hold this word, spelt one way or another.
is_example() {
    local letters=${1//[^[:alnum:]]/}
    [[ "${letters,,}" =~ pa?ssw[o0]?rd ]]
}

check_environment() {
    [[ "${ACCEPT_EULA:-}" == [Yy] ]] ||
        refuse "set ACCEPT_EULA=Y once you accept the licence of SQL Server."
    [[ "${ACCEPT_EULA_ML:-}" == [Yy] ]] ||
        refuse "set ACCEPT_EULA_ML=Y once you accept the licence of Machine Learning Services."
    [[ -n "${MSSQL_SA_PASSWORD:-}" ]] ||
        refuse "set MSSQL_SA_PASSWORD: the password of sa, one of your own."
    ! is_example "$MSSQL_SA_PASSWORD" ||
        refuse "MSSQL_SA_PASSWORD looks like one from a document; choose one of your own."
    is_strong "$MSSQL_SA_PASSWORD" ||
        refuse "MSSQL_SA_PASSWORD needs 8 characters or more, of three of these four kinds:" \
            "upper case, lower case, digits, others."
}

# Here and not in the image: /var/opt/mssql may be an empty directory of the host.
configure() {
    "$mssql/mssql-conf" set EULA accepteulaml Y
    if [[ -n "${PYTHON_BINARY:-}" ]]; then
        "$mssql/mssql-conf" set extensibility pythonbinpath "$PYTHON_BINARY"
        "$mssql/mssql-conf" set extensibility datadirectories "$PYTHON_DIRECTORIES"
    fi
}

run_sql() {
    SQLCMDPASSWORD=$MSSQL_SA_PASSWORD /opt/mssql-tools18/bin/sqlcmd \
        -S localhost -U sa -C -l 10 -b "$@"
}

wait_for_server() {
    until run_sql -Q "SELECT 1;" &>/dev/null; do
        kill -0 "$sqlservr" 2>/dev/null || refuse "SQL Server ended while it was starting."
        ((SECONDS < 300)) || refuse "SQL Server does not answer after 5 minutes."
        sleep 2
    done
}

stop() {
    trap - TERM INT EXIT
    kill "$sqlservr" "$launchpadd" 2>/dev/null || true
    wait
}

check_environment
configure
read -ra options <<<"${LAUNCHPADD_OPTIONS:-}"
"$mssql/launchpadd" "${options[@]}" &
launchpadd=$!
"$mssql/sqlservr" &
sqlservr=$!
trap stop EXIT
trap 'stop; exit 0' TERM INT

wait_for_server
run_sql -i "$here/prepare_server.sql"
run_sql -Q "IF DB_ID(N'sqlexec') IS NULL CREATE DATABASE sqlexec;"
run_sql -d sqlexec -i "$here/install.sql"
echo "sqlexec: the bundle is installed in the database sqlexec."

wait -n
