;;; qwen-ls.el --- Ghost text of Qwen models, for Eglot  -*- lexical-binding: t; -*-

;; Copyright 2026 The qwen-ls contributors
;; SPDX-License-Identifier: Apache-2.0

;; Author: The qwen-ls contributors
;; Version: 0.1.0
;; Package-Requires: ((emacs "30.1"))
;; Keywords: convenience, languages, tools
;; URL: https://pypi.org/project/qwen-ls

;;; Commentary:

;; Shows what the language server qwen-ls suggests while you type, by LSP's
;; textDocument/inlineCompletion, which Eglot itself does not know:
;;
;;   (qwen-ls-setup)
;;
;; While a suggestion is shown, TAB accepts it, M-f its next word, C-e the rest
;; of its line, and C-g takes it off the screen.  Typing what it says goes on
;; inside of it.  See also `qwen-ls-toggle', `qwen-ls-complete' (ask now),
;; `qwen-ls-explain' (why was nothing shown?) and `qwen-ls-doctor'.
;;
;; Eglot has one server for a buffer.  `qwen-ls-modes' says where that is
;; qwen-ls.  Its settings are the section :qwen-ls of
;; `eglot-workspace-configuration'.

;;; Code:

(require 'cl-lib)
(require 'eglot)
(require 'eieio)
(require 'jsonrpc)

(defgroup qwen-ls nil
  "Ghost text of Qwen models."
  :group 'eglot
  :link '(url-link "https://pypi.org/project/qwen-ls"))

(defcustom qwen-ls-command '("qwen-ls" "--stdio")
  "The program that is the server, and its arguments."
  :type '(repeat string))

(defcustom qwen-ls-modes '(prog-mode text-mode conf-mode)
  "Modes in which `qwen-ls-setup' lets qwen-ls be Eglot's server.
Modes derived from them count, too."
  :type '(repeat symbol))

(defcustom qwen-ls-idle-delay 0.05
  "Seconds without a key before the server is asked.
The server itself waits for a pause in your typing before it asks a model,
so that this can be short."
  :type 'number)

(defface qwen-ls-ghost '((t :inherit shadow :slant italic))
  "Face of suggestions.")

;;;; The server, as Eglot knows it

(defclass qwen-ls-server (eglot-lsp-server)
  ((status :initform nil :accessor qwen-ls-server-status
           :documentation "The last `didChangeStatus': (:busy :kind :message)."))
  :documentation "A connection to qwen-ls, or to a multiplexer before it.")

(cl-defmethod eglot-client-capabilities ((_server qwen-ls-server))
  "What Eglot can do, and inline completion."
  (let ((capabilities (cl-call-next-method)))
    (setf (plist-get (plist-get capabilities :textDocument) :inlineCompletion)
          '(:dynamicRegistration :json-false))
    capabilities))

(cl-defmethod eglot-handle-notification
  ((server qwen-ls-server) (_method (eql didChangeStatus)) &rest status)
  "Keep the STATUS of SERVER for the mode line."
  (setf (qwen-ls-server-status server) status)
  (force-mode-line-update t))

(defun qwen-ls--server ()
  "The current buffer's server; nil where it is another one, or none."
  (and (eglot-managed-p)
       (let ((server (eglot-current-server)))
         (and (qwen-ls-server-p server)
              (jsonrpc-running-p server)
              server))))

(defun qwen-ls--server-or-lose ()
  "The current buffer's server."
  (or (qwen-ls--server)
      (user-error "This buffer has no qwen-ls; start it with `qwen-ls-ensure'")))

(defun qwen-ls--contact (&rest _)
  "The program for Eglot to start.  See `eglot-server-programs'."
  (unless (executable-find (car qwen-ls-command) t)
    (user-error "There is no `%s' on the PATH; install it: pipx install qwen-ls"
                (car qwen-ls-command)))
  (cons 'qwen-ls-server qwen-ls-command))

;;;; Parts of a text; pure

(defun qwen-ls--rest (text typed)
  "What is left of TEXT after TYPED; nil for nothing, or where TYPED differs."
  (and (string-prefix-p typed text)
       (length< typed (length text))
       (substring text (length typed))))

(defun qwen-ls--part (text motion)
  "The beginning of TEXT, up to where MOTION leads.
Words are those of the current buffer's syntax table."
  (let ((syntax (syntax-table)))
    (with-temp-buffer
      (set-syntax-table syntax)
      (save-excursion (insert text))
      (funcall motion)
      (buffer-substring-no-properties (point-min) (point)))))

(defun qwen-ls--to-end ()
  "Move to the end."
  (goto-char (point-max)))

(defun qwen-ls--to-end-of-line ()
  "Move to the end of the line; from there to that of the next one."
  (when (eolp) (forward-line))
  (end-of-line))

(defun qwen-ls--items (result)
  "The items of RESULT, an array or a list object, that can be shown.
Snippets can not."
  (cl-remove-if-not (lambda (item) (stringp (plist-get item :insertText)))
                    (append (if (vectorp result) result
                              (plist-get result :items))
                            nil)))

(defun qwen-ls--utf-16-length (text)
  "The number of UTF-16 code units of TEXT."
  (+ (length text) (cl-count-if (lambda (char) (> char #xffff)) text)))

;;;; The suggestion on the screen

(cl-defstruct (qwen-ls--ghost (:constructor qwen-ls--make-ghost))
  "A suggestion: TEXT comes to stand from START to END, in place of what is there."
  text start end overlay server item)

(defvar-local qwen-ls--ghost nil
  "The suggestion that is shown, or nil.")

(defvar-keymap qwen-ls-ghost-map
  :doc "Keys while a suggestion is shown."
  "TAB" #'qwen-ls-accept
  "<tab>" #'qwen-ls-accept
  "M-f" #'qwen-ls-accept-word
  "C-e" #'qwen-ls-accept-line
  "C-g" #'qwen-ls-dismiss)

;; Before all minor modes, which may have these keys, too; an empty overlay's own keymap is not looked at.
(add-to-list 'emulation-mode-map-alists
             (list (cons 'qwen-ls--ghost qwen-ls-ghost-map)))

(defun qwen-ls--left ()
  "What is left of the suggestion at point; nil where it does not fit any more."
  (when qwen-ls--ghost
    (pcase-let (((cl-struct qwen-ls--ghost text start end) qwen-ls--ghost))
      (and (<= start (point) end)
           (<= (- (point) start) (length text))
           (qwen-ls--rest text (buffer-substring-no-properties start (point)))))))

(defun qwen-ls--hide ()
  "Take the suggestion off the screen."
  (when qwen-ls--ghost
    (delete-overlay (qwen-ls--ghost-overlay qwen-ls--ghost))
    (set-marker (qwen-ls--ghost-start qwen-ls--ghost) nil)
    (set-marker (qwen-ls--ghost-end qwen-ls--ghost) nil)
    (setq qwen-ls--ghost nil)))

(defun qwen-ls--refresh ()
  "Draw what is left of the suggestion, or take it off the screen."
  (if-let* ((rest (qwen-ls--left))
            (overlay (qwen-ls--ghost-overlay qwen-ls--ghost))
            (end (qwen-ls--ghost-end qwen-ls--ghost))
            (string (propertize rest 'face 'qwen-ls-ghost)))
      (progn
        ;; The cursor stays before it; with t it would not in the middle of a line.
        (put-text-property 0 1 'cursor 1 string)
        (move-overlay overlay (point) end)
        (overlay-put overlay 'after-string string)
        ;; What it replaces is not shown; Emacs must leave point before that.
        (overlay-put overlay 'display (and (< (point) end) ""))
        (when (< (point) end) (setq disable-point-adjustment t)))
    (qwen-ls--hide)))

(defun qwen-ls--show (server item)
  "Show the suggestion ITEM of SERVER."
  (qwen-ls--hide)
  (pcase-let* ((range (plist-get item :range))
               (`(,start . ,end) (if range (eglot-range-region range)
                                   (cons (point) (point))))
               (overlay (make-overlay (point) (point))))
    (overlay-put overlay 'window (selected-window))
    (setq qwen-ls--ghost
          (qwen-ls--make-ghost :text (plist-get item :insertText)
                               :start (copy-marker start)
                               ;; What an electric mode closes is replaced.
                               :end (copy-marker end t)
                               :overlay overlay :server server :item item))
    (qwen-ls--refresh)))

(defun qwen-ls--accept (motion)
  "Insert the suggestion up to where MOTION leads; tell the server."
  (let* ((rest (or (qwen-ls--left) (user-error "No suggestion is shown")))
         (part (qwen-ls--part rest motion))
         (ghost qwen-ls--ghost))
    (if (equal part rest)
        (let ((end (marker-position (qwen-ls--ghost-end ghost))))
          (qwen-ls--hide)
          (delete-region (point) end)
          (insert part)
          (qwen-ls--tell-accepted ghost))
      (insert part)
      (qwen-ls--refresh)
      (qwen-ls--tell-partially-accepted ghost part))))

(defun qwen-ls--tell-accepted (ghost)
  "Run the command of GHOST, all of which was accepted."
  (when-let* ((command (plist-get (qwen-ls--ghost-item ghost) :command)))
    (eglot--signal-textDocument/didChange)
    (jsonrpc-async-request
     (qwen-ls--ghost-server ghost) :workspace/executeCommand
     (list :command (plist-get command :command)
           :arguments (plist-get command :arguments)))))

(defun qwen-ls--tell-partially-accepted (ghost part)
  "Tell the server that PART of GHOST was accepted, as Copilot's clients do."
  (jsonrpc-notify
   (qwen-ls--ghost-server ghost) :textDocument/didPartiallyAcceptCompletion
   (list :item (qwen-ls--ghost-item ghost)
         :acceptedLength (qwen-ls--utf-16-length part))))

(defun qwen-ls-accept ()
  "Accept the suggestion."
  (interactive "*")
  (qwen-ls--accept #'qwen-ls--to-end))

(defun qwen-ls-accept-word ()
  "Accept the suggestion's next word."
  (interactive "*")
  (qwen-ls--accept #'forward-word))

(defun qwen-ls-accept-line ()
  "Accept the rest of the suggestion's line."
  (interactive "*")
  (qwen-ls--accept #'qwen-ls--to-end-of-line))

(defun qwen-ls-dismiss ()
  "Take the suggestion off the screen; the next comes when you type."
  (interactive)
  (qwen-ls--hide)
  (qwen-ls--cancel))

;;;; Asking

(defconst qwen-ls--invoked 1 "LSP's InlineCompletionTriggerKind for a command.")
(defconst qwen-ls--automatic 2 "LSP's InlineCompletionTriggerKind for typing.")

(defvar qwen-ls-mode)

(defvar-local qwen-ls--pending nil
  "The request in flight, as (SERVER . ID), or nil.")

(defvar-local qwen-ls--timer nil
  "The timer after which the server is asked.")

(defvar-local qwen-ls--place nil
  "Where the last command has ended; see the function `qwen-ls--place'.")

(defun qwen-ls--place ()
  "What a suggestion depends on: point and the text, as (POINT . TICK)."
  (cons (point) (buffer-chars-modified-tick)))

(defun qwen-ls--cancel ()
  "Cancel what is on its way."
  (when (timerp qwen-ls--timer)
    (cancel-timer qwen-ls--timer))
  (pcase qwen-ls--pending
    (`(,server . ,id)
     (setq qwen-ls--pending nil)
     (when (jsonrpc-running-p server)
       (jsonrpc-notify server :$/cancelRequest (list :id id))))))

(defun qwen-ls--request (server kind)
  "Ask SERVER for a suggestion at point.
KIND is one of LSP's InlineCompletionTriggerKind."
  (qwen-ls--cancel)
  (eglot--signal-textDocument/didChange)
  (let* ((buffer (current-buffer))
         (place (qwen-ls--place))
         id
         (answered
          (lambda (handle)
            (lambda (result)
              (when (buffer-live-p buffer)
                (with-current-buffer buffer
                  (when (eql id (cdr qwen-ls--pending))
                    (setq qwen-ls--pending nil))
                  (funcall handle result)))))))
    ;; `jsonrpc-async-request' does not say the id, without which nothing can be cancelled.
    (setq id (car (jsonrpc--async-request-1
                   server :textDocument/inlineCompletion
                   (append (eglot--TextDocumentPositionParams)
                           (list :context (list :triggerKind kind)))
                   :timeout nil
                   :success-fn
                   (funcall answered
                            (lambda (result)
                              (when (equal place (qwen-ls--place))
                                (qwen-ls--take server result))))
                   ;; That a request was cancelled is no error to be shown in the mode line.
                   :error-fn
                   (funcall answered (lambda (_) (eglot-clear-status server)))))
          qwen-ls--pending (cons server id))))

(defun qwen-ls--take (server result)
  "Show the first item of RESULT, an answer of SERVER.
An empty list says that there is nothing to show, and null that the
request does not matter any more."
  (when (and result qwen-ls-mode)
    (if-let* ((item (car (qwen-ls--items result))))
        (qwen-ls--show server item)
      (qwen-ls--hide))))

(defun qwen-ls--ask-when-idle (buffer)
  "Ask for a suggestion, if BUFFER is still where the user is."
  (when (and (buffer-live-p buffer)
             (eq buffer (window-buffer)))
    (with-current-buffer buffer
      (when-let* ((server (and qwen-ls-mode (not buffer-read-only) (qwen-ls--server))))
        (qwen-ls--request server qwen-ls--automatic)))))

(defun qwen-ls--post-command ()
  "Keep the suggestion true to what the user does, and ask for the next one."
  (when qwen-ls--ghost
    (qwen-ls--refresh))
  (let ((before qwen-ls--place)
        (now (qwen-ls--place)))
    (unless (equal before now)
      (setq qwen-ls--place now)
      (qwen-ls--cancel)
      (unless (eql (cdr before) (cdr now))
        (setq qwen-ls--timer
              (run-with-idle-timer qwen-ls-idle-delay nil
                                   #'qwen-ls--ask-when-idle (current-buffer)))))))

(defun qwen-ls--leave (window)
  "WINDOW with this buffer was selected, or another one was."
  (unless (eq window (selected-window))
    (with-current-buffer (window-buffer window)
      (qwen-ls-dismiss))))

(defun qwen-ls-complete ()
  "Ask for a suggestion now."
  (interactive "*")
  (qwen-ls--request (qwen-ls--server-or-lose) qwen-ls--invoked))

;;;; The mode

(defun qwen-ls--lighter ()
  "The status of the buffer's server in a few characters."
  (let* ((server (qwen-ls--server))
         (status (and server (qwen-ls-server-status server)))
         (sign (cond ((null server) "-")
                     ((eq (plist-get status :busy) t) "…")
                     (t (pcase (plist-get status :kind)
                          ("Warning" "!") ("Error" "!!") ("Inactive" " off") (_ ""))))))
    (propertize (concat " qwen" sign)
                'help-echo (if server (or (plist-get status :message) "") "no server"))))

;;;###autoload
(define-minor-mode qwen-ls-mode
  "Show what qwen-ls suggests while you type.
`qwen-ls-setup' switches it on in the buffers that qwen-ls manages.

\\{qwen-ls-ghost-map}"
  :lighter (:eval (qwen-ls--lighter))
  (cond
   (qwen-ls-mode
    (setq qwen-ls--place (qwen-ls--place))
    (add-hook 'post-command-hook #'qwen-ls--post-command nil t)
    (add-hook 'window-selection-change-functions #'qwen-ls--leave nil t))
   (t
    (remove-hook 'post-command-hook #'qwen-ls--post-command t)
    (remove-hook 'window-selection-change-functions #'qwen-ls--leave t)
    (qwen-ls-dismiss))))

(defun qwen-ls--follow-eglot ()
  "Switch `qwen-ls-mode' on where qwen-ls manages the buffer, else off."
  (qwen-ls-mode (if (qwen-ls--server) 1 -1)))

(add-hook 'eglot-managed-mode-hook #'qwen-ls--follow-eglot)

;;;###autoload
(defun qwen-ls-ensure ()
  "Let qwen-ls be Eglot's server in this buffer and others of its major mode.
Eglot stays out of what qwen-ls has nothing for: diagnostics, references,
documentation and the like."
  (interactive)
  (when buffer-file-name
    ;; By the mode itself: Eglot makes the language's name of it.
    (add-to-list 'eglot-server-programs (cons (list major-mode) #'qwen-ls--contact))
    (setq-local eglot-stay-out-of
                (append '(flymake eldoc xref imenu company) eglot-stay-out-of))
    (eglot-ensure)))

;;;###autoload
(defun qwen-ls-setup ()
  "Let qwen-ls be Eglot's server in `qwen-ls-modes'."
  (interactive)
  (dolist (mode qwen-ls-modes)
    (add-hook (intern (format "%s-hook" mode)) #'qwen-ls-ensure)))

;;;; Commands of the server

(defun qwen-ls--execute (command &rest arguments)
  "The result of the server's COMMAND with ARGUMENTS, as a JSON value."
  (jsonrpc-request (qwen-ls--server-or-lose) :workspace/executeCommand
                   (list :command command :arguments (vconcat arguments))))

(defun qwen-ls-toggle ()
  "Switch suggestions off, or on again, in all buffers of this server."
  (interactive)
  (qwen-ls-dismiss)
  (message "qwen-ls is %s"
           (if (eq (qwen-ls--execute "qwen-ls.toggle") t) "on" "off")))

(defun qwen-ls-clear-cache ()
  "Have the server forget all suggestions."
  (interactive)
  (qwen-ls--execute "qwen-ls.clearCache"))

(defun qwen-ls-explain (&optional with-prompt)
  "Show how the last suggestion came, or why there was none.
WITH-PROMPT, the prefix argument, adds the prompt."
  (interactive "P")
  (let ((document (qwen-ls--execute
                   "qwen-ls.explain"
                   `(:as "markdown" :prompt ,(if with-prompt t :json-false)))))
    (with-current-buffer (get-buffer-create "*qwen-ls explain*")
      (let ((inhibit-read-only t))
        (erase-buffer)
        (insert document)
        (goto-char (point-min)))
      (special-mode)
      (display-buffer (current-buffer)))))

(defun qwen-ls-doctor ()
  "Run the server's check of its configuration, key and connection."
  (interactive)
  (compilation-start
   (combine-and-quote-strings (list (car qwen-ls-command) "doctor"))
   nil (lambda (_) "*qwen-ls doctor*")))

(provide 'qwen-ls)
;;; qwen-ls.el ends here
