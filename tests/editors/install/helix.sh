# shellcheck shell=bash
# Helix: Debian's, which is a state of its main branch after 25.07.1.

install_helix_25_07_1() {
    local folder=$1
    debian "$folder" 'hx=25.07.1+20260723*'
    own_library "$folder" usr/bin/hx
    wrapper "$folder/bin/hx" "HELIX_RUNTIME='$folder/root/usr/lib/hx/runtime' exec '$folder/root/usr/bin/hx' \"\$@\""
    "$folder/bin/hx" --version | grep -F 'helix 25.07.1'
}
