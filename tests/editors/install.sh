#!/usr/bin/env bash
# Installs editors for the tests, each of a pinned version, into a folder of its own in the user's cache.
#
#   install.sh [EDITOR...]      without a name: every editor; `install.sh --list` names them
#
# Prints the folder of each; its programs are in FOLDER/bin. What is there already is left alone.
#   QWEN_LS_EDITORS   where the folders lie (default: ${XDG_CACHE_HOME:-~/.cache}/qwen-ls/editors)
#   PYTHON            the interpreter whose pip is used (default: python3)
# Exit codes: 0 done; 1 an installation went wrong; 2 no such editor; 75 a registry could not be reached.
#
# install/*.sh have a function `install_EDITOR FOLDER` for each editor, which fills FOLDER and ends by asking the
# program for its version. Every download is checked: by apt's signatures, pip's hashes or npm's lock file.
set -euo pipefail

UNREACHABLE=75
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
EDITORS=${QWEN_LS_EDITORS:-${XDG_CACHE_HOME:-$HOME/.cache}/qwen-ls/editors}
PYTHON=${PYTHON:-python3}

say() { printf 'editors: %s\n' "$*" >&2; }

# unreachable REGISTRY: ends the installation of this editor; nothing is wrong with it or with us.
unreachable() { say "!!! $1 CANNOT BE REACHED"; exit "$UNREACHABLE"; }

# fetch REGISTRY COMMAND...: runs it, three times if need be; what it says goes to stderr. What has come and is
# not what was expected is an error, not an absence.
fetch() {
    local registry=$1 try said
    shift
    for try in 1 2 3; do
        said=$("$@" 2>&1) && return
        printf '%s\n' "$said" >&2
        grep -qiE 'do not match the hashes|hash sum mismatch|EINTEGRITY|not signed|invalid signature' <<<"$said" && exit 1
        say "try $try of 3 failed: $1 ${2-}"
        sleep "$try"
    done
    unreachable "$registry"
}

for recipe in "$HERE"/install/*.sh; do
    # shellcheck source=/dev/null
    source "$recipe"
done

# The name of an editor is that of its function, as in neovim-0.12.4 for install_neovim_0_12_4 with NAMES below.
editors() { declare -F | sed -n 's/^declare -f install_//p' | while read -r name; do name_of "$name"; done; }
name_of() { sed -E 's/_([0-9])/-\1/; s/_/./g' <<<"$1"; }
function_of() { printf 'install_%s' "$(tr '.-' '__' <<<"$1")"; }

set_up() {
    local editor=$1 folder=$EDITORS/$1 function recipe
    function=$(function_of "$editor")
    declare -F "$function" >/dev/null || { say "there is no editor $editor; there are: $(editors | xargs)"; exit 2; }
    # A recipe that has changed installs again.
    recipe=$(declare -f "$function" | cksum)
    mkdir -p "$EDITORS"
    exec 9>"$EDITORS/.$editor.lock"
    ! command -v flock >/dev/null || flock 9
    if [ "$(cat "$folder/.installed" 2>/dev/null)" != "$recipe" ]; then
        say "installing $editor into $folder"
        rm -rf "$folder"
        mkdir -p "$folder/bin"
        "$function" "$folder" >&2
        echo "$recipe" >"$folder/.installed"
    fi
    echo "$folder"
}

[ "${1-}" != --list ] || { editors; exit; }
[ $# -gt 0 ] || mapfile -t all < <(editors)
worst=0
for editor in "${@:-${all[@]}}"; do
    code=0
    # A shell of its own, so that one that fails does not end the others; not in a condition, where bash
    # would let errors pass.
    (set_up "$editor") &
    wait $! || code=$?
    # Something that went wrong outweighs a registry that was away.
    if [ "$code" -ne 0 ]; then
        say "!!! $editor IS NOT INSTALLED"
        if [ "$worst" -eq 0 ] || [ "$worst" -eq "$UNREACHABLE" ]; then worst=$code; fi
    fi
done
exit "$worst"
