"""Streams that need more than a shell: stream.py MEGATRON2HF MODEL, in an empty folder.

A terminal is refused; a reader that goes away or stalls leaves nothing behind, and the shell
sees the signal.
"""
import os
import pty
import signal
import subprocess
import sys
import time

command = [sys.argv[1], 'convert', '-q', '-o', '-', '--stream', 'tar', '--staging', '.',
           '--num-attention-heads', '2', sys.argv[2]]


def ends(process, status, words):
    error = process.stderr.read()
    process.wait(60)
    assert process.returncode == status, (process.returncode, error)
    assert words in error and (words or not error), error
    assert os.listdir('.') == [], os.listdir('.')


master, slave = pty.openpty()
ends(subprocess.Popen(command, stdout=slave, stderr=subprocess.PIPE), 2,
     b'refusing to write binary data to a terminal')

process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
assert process.stdout.read(10) == b'SHA256SUMS'
process.stdout.close()
ends(process, -signal.SIGPIPE, b'')

process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
assert process.stdout.read(10) == b'SHA256SUMS'
time.sleep(0.3)         # the pipe is full by now
assert len(os.listdir('.')) == 1
process.send_signal(signal.SIGTERM)
ends(process, -signal.SIGTERM, b'interrupted')
