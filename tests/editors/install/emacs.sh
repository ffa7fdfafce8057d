# shellcheck shell=bash
# Emacs, for terminals; eglot and completion-preview-mode are a part of it. With lsp-mode, which is not.

install_emacs_30_2() {
    local folder=$1 root=$1/root architecture
    debian "$folder" 'emacs-nox=1:30.2*' 'elpa-lsp-mode=10.*'
    own_library "$folder" usr/bin/emacs-nox usr/bin/emacsclient.emacs
    architecture=$(basename "$root"/usr/libexec/emacs/30.2/*)
    # Emacs looks for its dump beside itself.
    ln -sf "$(cd "$root" && ls -d "$PWD"/usr/libexec/emacs/30.2/*/*.pdmp)" "$root/usr/bin/emacs-nox.pdmp"
    wrapper "$folder/bin/emacs" \
        "export EMACSLOADPATH='$root/usr/share/emacs/30.2/lisp' EMACSDATA='$root/usr/share/emacs/30.2/etc'" \
        "export EMACSDOC='$root/usr/share/emacs/30.2/etc' EMACSPATH='$root/usr/libexec/emacs/30.2/$architecture'" \
        "exec '$root/usr/bin/emacs-nox' \"\$@\""
    ln -s ../root/usr/bin/emacsclient.emacs "$folder/bin/emacsclient"
    # As a package manager does; without it lsp-mode takes ten times as long to start.
    HOME=$folder "$folder/bin/emacs" -Q --batch --eval "(let ((default-directory \"$root/usr/share/emacs/site-lisp/elpa-src/\"))
        (normal-top-level-add-subdirs-to-load-path)
        (setq byte-compile-warnings nil native-comp-enable-subr-trampolines nil)
        (dolist (file (file-expand-wildcards \"*/*.el\"))
          (unless (string-match-p \"-\\\\(pkg\\\\|autoloads\\\\)[.]el\" file) (byte-compile-file file))))"
    "$folder/bin/emacs" --version | grep -x 'GNU Emacs 30.2'
}
