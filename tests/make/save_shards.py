#!/usr/bin/env python3
"""What transformers' save_pretrained writes for the bundled model, by element type and largest
shard: SHA-256 of each weight file and index, as JSON.

    save_shards.py CONVERTED_DIRECTORY > fixtures/forms/saved.json

Needs torch and transformers; made with torch 2.13.0 and transformers 5.23.  The model is built
and filled, not loaded: a model that from_pretrained() has loaded is saved in the order of the
names, not in that of the model.
"""
import hashlib
import json
import os
import sys
import tempfile

import torch
from transformers import GPT2LMHeadModel

SIZES = "2MB", "1MB", "500KB", "100KB", "40KB", "9KB", "5KB", "2.5KB"

saved = {}
for dtype in "float16", "float32":
    loaded = GPT2LMHeadModel.from_pretrained(sys.argv[1], dtype=getattr(torch, dtype))
    model = GPT2LMHeadModel(loaded.config).to(getattr(torch, dtype))
    model.load_state_dict(loaded.state_dict())
    model.tie_weights()
    for size in SIZES:
        with tempfile.TemporaryDirectory() as to:
            model.save_pretrained(to, max_shard_size=size)
            saved[f"{dtype} {size}"] = {
                name: hashlib.sha256(open(os.path.join(to, name), "rb").read()).hexdigest()
                for name in sorted(os.listdir(to)) if name.startswith("model")}
json.dump(saved, sys.stdout, indent=1)
