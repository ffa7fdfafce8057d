"""Which other code of the workspace a prompt shows: retrievers, their fusion, and a stable arrangement. Pure.

Files are read in `qwen_ls.files`, and the gathering runs in `qwen_ls.related`.
"""
