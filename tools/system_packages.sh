#!/usr/bin/env bash
# Installs the Debian packages that are missing; does nothing, quickly, where none is.
# On other systems: says what is missing and how to get it.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin"

library() { [[ "$libraries" == *"$1"* ]]; }

missing=()
optional=()
if [[ "$(uname)" == Linux ]]; then
    libraries="$(ldconfig -p)"
    library libodbc.so.2 || missing+=(unixodbc)
    library libltdl.so.7 || missing+=(libltdl7)
    library libgssapi_krb5.so.2 || missing+=(libgssapi-krb5-2)
    if ! [[ -x .venv/bin/python ]]; then
        python="$(tools/find_python.sh "${PYTHON:-}")"
        "$python" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
        # FreeTDS's ODBC driver is only one more client for the tests; asked for once.
        compgen -G '/usr/lib/*/odbc/libtdsodbc.so' >/dev/null || optional+=(tdsodbc)
    fi
elif [[ "$(uname)" == Darwin ]]; then
    [[ -e "$(brew --prefix 2>/dev/null)/lib/libodbc.2.dylib" ]] || missing+=(unixodbc)
fi
if ! ((${#missing[@]})); then
    ((${#optional[@]})) && ((EUID == 0)) && command -v apt-get >/dev/null || exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "Missing on this system: ${missing[*]} (Debian's names). Install them, then try again." >&2
    [[ "$(uname)" == Darwin ]] && echo "  brew install unixodbc" >&2
    exit 1
fi
sudo=()
if ((EUID)); then
    if ! command -v sudo >/dev/null; then
        echo "Missing packages, and no sudo here to install them." >&2
        echo "Run as root, then try again: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    sudo=(sudo)
fi

echo "Installing Debian packages: ${missing[*]} ${optional[*]} ..."
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
install() {
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "$@" </dev/null >"$log" 2>&1
}
"${sudo[@]}" apt-get update >"$log" 2>&1 || true # an old list may do; else install tells
if ((${#missing[@]})) && ! install "${missing[@]}"; then
    cat "$log" >&2
    exit 1
fi
if ((${#optional[@]})) && ! install "${optional[@]}"; then
    echo "Not installed: ${optional[*]}; the tests that use it are skipped."
fi
