"""Streams that need more than a shell: stream.py MEGATRON2HF MODEL, in an empty folder.

A terminal is refused; a reader that goes away or stalls leaves nothing behind, and the shell
sees the signal.  What a killed run left goes with the next one, what another run is using
stays.
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
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
    error = process.stderr.read()
    assert process.returncode == status, (process.returncode, error)
    assert words in error and (words or not error), error
    assert os.listdir('.') == [], os.listdir('.')


try:
    master, slave = pty.openpty()
except OSError:
    print('stream: no terminal to be had here: what is said to one is not tested',
          file=sys.stderr)
else:
    ends(subprocess.Popen(command, stdout=slave, stderr=subprocess.PIPE), 2,
         b'refusing to write binary data to a terminal')

process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
assert process.stdout.read(10) == b'SHA256SUMS'
process.stdout.close()
ends(process, -signal.SIGPIPE, b'')

# A pipe that is full before the first byte: the write that would wait for it takes none.
reading, writing = os.pipe()
os.set_blocking(writing, False)
try:
    while True:
        os.write(writing, bytes(65536))
except BlockingIOError:
    os.set_blocking(writing, True)
process = subprocess.Popen(command, stdout=writing, stderr=subprocess.PIPE)
while not os.listdir('.') or 'SHA256SUMS' not in os.listdir(os.listdir('.')[0]):
    time.sleep(0.01)
time.sleep(0.3)
process.send_signal(signal.SIGTERM)
ends(process, -signal.SIGTERM, b'interrupted')

running, killed = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                   for _ in range(2)]
for process in running, killed:
    assert process.stdout.read(10) == b'SHA256SUMS'
killed.kill()
killed.wait(60)
assert len(os.listdir('.')) == 2, os.listdir('.')
subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
assert len(os.listdir('.')) == 1, os.listdir('.')
running.stdout.read()
ends(running, 0, b'')
