"""Run by reads_test.py in a Python whose whole heap lies in a region: reads in every way it knows,
and prints in how many of them something else arrived than was there."""
import hashlib
import io
import os
import socket
import sys

PATH = sys.argv[1]
CONTENT = bytes(i * 7 % 251 for i in range(300001))
DIGEST = hashlib.sha256(CONTENT).digest()


def whole(data):
    return hashlib.sha256(data).digest() == DIGEST


def at_once():
    with open(PATH, "rb") as file:
        return file.read()


def into_bytearray():
    target = bytearray(len(CONTENT))
    with io.FileIO(PATH) as file:
        count = file.readinto(target)
    return target[:count]


def in_parts():
    with open(PATH, "rb") as file:
        return b"".join(iter(lambda: file.read(70000), b""))


def descriptor():
    number = os.open(PATH, os.O_RDONLY)
    try:
        return os.read(number, len(CONTENT))
    finally:
        os.close(number)


def at_a_place():
    number = os.open(PATH, os.O_RDONLY)
    try:
        return os.pread(number, len(CONTENT), 0)
    finally:
        os.close(number)


def vectors():
    targets = [bytearray(100), bytearray(200000), bytearray(len(CONTENT))]
    number = os.open(PATH, os.O_RDONLY)
    try:
        count = os.readv(number, targets)
    finally:
        os.close(number)
    return b"".join(targets)[:count]


def datagram():
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        other.send(CONTENT[:100000])
        return one.recv(200000) + CONTENT[100000:]


def text():
    with open(PATH, encoding="latin-1", newline="") as file:
        return file.read().encode("latin-1")


def randomness():
    return CONTENT if len(set(os.urandom(100000))) == 256 else b""


def folder():
    names = os.listdir("/usr/bin")
    return CONTENT if len(names) == len(list(os.scandir("/usr/bin"))) > 0 else b""


WAYS = [at_once, into_bytearray, in_parts, descriptor, at_a_place, vectors, datagram, text,
        randomness, folder]
with open(PATH, "wb") as output:
    output.write(CONTENT)
failures = {}
for _ in range(20):
    for way in WAYS:
        try:
            good = whole(way())
        except OSError:
            good = False
        if not good:
            failures[way.__name__] = failures.get(way.__name__, 0) + 1
print("failures:", failures)
sys.exit(1 if failures else 0)
