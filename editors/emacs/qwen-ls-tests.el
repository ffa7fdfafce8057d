;;; qwen-ls-tests.el --- Tests of qwen-ls  -*- lexical-binding: t; -*-

;; Copyright 2026 The qwen-ls contributors
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; What needs neither a server nor a screen.  Run them with -Q --batch -L .
;; -l qwen-ls-tests -f ert-run-tests-batch-and-exit.

;;; Code:

(require 'ert)
(require 'qwen-ls)

(ert-deftest qwen-ls-tests-rest ()
  "A suggestion goes on after what was typed of it."
  (pcase-dolist (`(,text ,typed ,rest)
                 '(("return a" "" "return a")
                   ("return a" "re" "turn a")
                   ("return a" "return a" nil)
                   ("return a" "return ab" nil)
                   ("return a" "Re" nil)
                   ("a\nb" "a\n" "b")))
    (should (equal (qwen-ls--rest text typed) rest))))

(ert-deftest qwen-ls-tests-word ()
  "A word is what \\[forward-word] would move over, in this buffer's syntax."
  (pcase-dolist (`(,text ,word)
                 '(("turn a + b" "turn")
                   (" a + b" " a")
                   (" + b" " + b")
                   ("\n    return total" "\n    return")
                   (")" ")")
                   ("größe = 1" "größe")))
    (should (equal (qwen-ls--part text #'forward-word) word)))
  (with-syntax-table (copy-syntax-table)
    (modify-syntax-entry ?_ "w")
    (should (equal (qwen-ls--part "a_b c" #'forward-word) "a_b"))))

(ert-deftest qwen-ls-tests-line ()
  "A line is the rest of it; at its end the next one with its beginning."
  (pcase-dolist (`(,text ,line)
                 '(("a = 1\nb = 2" "a = 1")
                   ("\n    b = 2\nc" "\n    b = 2")
                   ("a" "a")
                   ("\n\nb" "\n")))
    (should (equal (qwen-ls--part text #'qwen-ls--to-end-of-line) line))))

(ert-deftest qwen-ls-tests-items ()
  "An answer is an array, a list object, or nothing; snippets are left out."
  (let ((plain '(:insertText "a"))
        (snippet '(:insertText (:kind "snippet" :value "a$0"))))
    (pcase-dolist (`(,result ,items)
                   `((nil nil)
                     ([] nil)
                     ((:items []) nil)
                     ([,plain] (,plain))
                     ((:items [,snippet ,plain]) (,plain))))
      (should (equal (qwen-ls--items result) items)))))

(ert-deftest qwen-ls-tests-utf-16-length ()
  "Lengths are counted as LSP counts them."
  (should (equal (mapcar #'qwen-ls--utf-16-length '("" "ab" "é" "🦙a")) '(0 2 1 3))))

(defmacro qwen-ls-tests-with-ghost (before after text end &rest body)
  "Evaluate BODY with TEXT suggested between BEFORE and AFTER.
The suggestion replaces END characters of AFTER."
  (declare (indent 4))
  `(with-temp-buffer
     (insert ,before)
     (save-excursion (insert ,after))
     (setq qwen-ls--ghost
           (qwen-ls--make-ghost :text ,text :start (point-marker)
                                :end (copy-marker (+ (point) ,end) t)
                                :overlay (make-overlay (point) (point))))
     (qwen-ls--refresh)
     ,@body))

(defun qwen-ls-tests-shown ()
  "The text of the suggestion that is shown, or nil."
  (when-let* ((ghost qwen-ls--ghost))
    (substring-no-properties
     (overlay-get (qwen-ls--ghost-overlay ghost) 'after-string))))

(ert-deftest qwen-ls-tests-typing-through ()
  "What is shown shrinks and grows with what is typed, and goes with a mismatch."
  (qwen-ls-tests-with-ghost "re" "\n" "turn a" 0
    (should (equal (qwen-ls-tests-shown) "turn a"))
    (insert "tu")
    (qwen-ls--refresh)
    (should (equal (qwen-ls-tests-shown) "rn a"))
    (delete-char -1)
    (qwen-ls--refresh)
    (should (equal (qwen-ls-tests-shown) "urn a"))
    (insert "x")
    (qwen-ls--refresh)
    (should-not (qwen-ls-tests-shown))))

(ert-deftest qwen-ls-tests-moving-away ()
  "Nothing is shown where point is not in the suggestion."
  (dolist (move (list #'backward-char #'forward-line #'forward-char))
    (qwen-ls-tests-with-ghost "re" "\nx" "turn" 0
      (funcall move)
      (qwen-ls--refresh)
      (should-not (qwen-ls-tests-shown)))))

(ert-deftest qwen-ls-tests-accept ()
  "All of it replaces what its range covers, and what was closed meanwhile."
  (qwen-ls-tests-with-ghost "f(" ")" "a, b)" 1
    (qwen-ls-accept)
    (should (equal (buffer-string) "f(a, b)"))
    (should-not (qwen-ls-tests-shown)))
  (qwen-ls-tests-with-ghost "f" "\n" "(a)" 0
    (insert "(")
    (save-excursion (insert ")"))
    (qwen-ls--refresh)
    (should (equal (qwen-ls-tests-shown) "a)"))
    (qwen-ls-accept)
    (should (equal (buffer-string) "f(a)\n"))))

(ert-deftest qwen-ls-tests-nothing-to-accept ()
  "Without a suggestion, accepting is an error of the user's."
  (with-temp-buffer
    (should-error (qwen-ls-accept) :type 'user-error)))

(provide 'qwen-ls-tests)
;;; qwen-ls-tests.el ends here
