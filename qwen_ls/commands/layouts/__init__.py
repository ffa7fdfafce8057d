"""`qwen-ls doctor --layouts`: which way of asking fills the written holes best at a live endpoint.

`holes` has the questions, `ways` the ways of asking; `asking` makes the calls, `answer` judges each,
`comparison` says what they are worth together, `verdict` what to do about it.
"""
