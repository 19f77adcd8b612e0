"""A language model that recites: a real GGUF file for real model servers, made of nothing but the Python below.

A server such as llama.cpp's loads it, tokenizes, fills its cache, samples and parses as with any other model, but what
comes out is known: a user's last message that holds `[[name]]` is answered with the script of that name (`scripts.py`).

How a transformer is made to recite. It has one block, and nothing in it was trained:

- *Every piece of a script is a token of its own*, which occurs once in all scripts and which the tokenizer never makes of
  a prompt. So the last token alone says which piece is due, and one entry of the output matrix for each pair of neighbours
  is the whole knowledge of the model (a bigram machine): `logits = W_out . norm(embedding(last token) + heard)`.
- *`heard` is the script that was asked for.* The chat template puts one token `<|cue:name|>` behind the last message; the
  only attention head looks for such tokens, from any distance, and adds a dimension that stands for the name.
- *A few tokens belong to several scripts*, because servers know them: `<think>`, `<tool_call>` and their ends. Behind them
  the token and the cue vote together, and only the piece for which both vote has enough.
- *The feed-forward layer is zero.* A large one costs time and nothing else: so a model is made slow.
- *Where a grammar forbids what is due* (structured answers, forced calls), faint votes for quotes, closing brackets and
  digits write the shortest JSON that the grammar lets through.

`vocabulary.py` has the tokens, `network.py` the matrices, `gguf.py` the file. The same arguments give the same bytes.
"""
