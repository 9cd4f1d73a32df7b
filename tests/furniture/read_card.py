"""Reads a README.md as the Hub does: YAML between the first two lines "---", then Markdown.

    read_card.py README.md NAME [LICENSE]

The metadata must be what is expected, and the name of the input must come out of cmark as
code, letter for letter (with bytes that do not print as \\xNN), and nothing of it as a tag.
"""
import html
import pathlib
import re
import subprocess
import sys

import yaml

card, name, *license_ = sys.argv[1:]
text = pathlib.Path(card).read_bytes().decode('utf-8')
assert text.startswith('---\n'), text[:40]
block, body = text[4:].split('\n---\n', 1)
expected = {'library_name': 'transformers', 'pipeline_tag': 'text-generation',
            'tags': ['gpt2', 'megatron-lm', 'safetensors']}
if license_:
    expected['license'] = license_[0]
found = yaml.safe_load(block)
assert found == expected, found
assert all(isinstance(value, (str, list)) for value in found.values())

page = subprocess.run(['cmark', '--unsafe'], input=body, capture_output=True, text=True,
                      check=True).stdout
codes = [html.unescape(code) for code in re.findall(r'<code>(.*?)</code>', page, re.S)]
assert name in codes, (name, codes)
tags = set(re.findall(r'<(/?[a-zA-Z!][^ >]*)', page)) - {'pre', 'code', '/pre', '/code'}
assert tags <= {'h1', '/h1', 'h2', '/h2', 'p', '/p', 'ul', '/ul', 'li', '/li'}, tags
