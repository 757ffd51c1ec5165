"""The key these tests send: it has characters that JSON, HTML and URLs spell in another way."""

KEY = '0f9d+Zz/"secret%key=7b1c'
