"""Reads what --provenance wrote: read_provenance.py STATEMENT DIR INPUT ... [--date DATE]

Subjects are all files of DIR and the dependencies all INPUTs, with the digests that hashlib
computes; the fields are those of in-toto Statement v1 and SLSA Provenance v1.
"""
import hashlib
import json
import os
import pathlib
import sys
import urllib.parse

arguments = sys.argv[1:]
date = None
if '--date' in arguments:
    at = arguments.index('--date')
    date = arguments[at + 1]
    del arguments[at:at + 2]
statement, directory, *inputs = arguments


def sha256(path):
    return {'sha256': hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}


text = pathlib.Path(statement).read_text(encoding='utf-8')
found = json.loads(text)
assert set(found) == {'_type', 'subject', 'predicateType', 'predicate'}, set(found)
assert found['_type'] == 'https://in-toto.io/Statement/v1'
assert found['predicateType'] == 'https://slsa.dev/provenance/v1'
expected = [{'name': name, 'digest': sha256(os.path.join(directory, name))}
            for name in sorted(os.listdir(directory))]
assert found['subject'] == expected, found['subject']

definition = found['predicate']['buildDefinition']
assert set(definition) == {'buildType', 'externalParameters', 'internalParameters',
                           'resolvedDependencies'}
assert definition['buildType'] == 'urn:megatron2hf:conversion:v1'
dependencies = definition['resolvedDependencies']
assert [d['digest'] for d in dependencies] == [sha256(path) for path in inputs], dependencies
for dependency, path in zip(dependencies, inputs):
    name = dependency['name']
    assert path.endswith(name) and not name.startswith('/'), name
    assert urllib.parse.unquote(dependency['uri'], errors='strict') == name, dependency
    assert urllib.parse.quote(name, safe='/') == dependency['uri'], dependency

run = found['predicate']['runDetails']
assert run['builder']['id'] == 'urn:megatron2hf:builder'
assert run.get('metadata') == (date and {'startedOn': date, 'finishedOn': date}), run
assert os.path.realpath(directory) not in text and '/tmp' not in text
