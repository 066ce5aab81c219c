"""A name server that knows one address, and may be told another.

usage: names.py FILE

Answers every question on 127.0.0.1:53 with the address in FILE, for one second.
"""
import socket, struct, sys


def main():
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 53))
    print("ready", flush=True)
    while True:
        question, who = listener.recvfrom(4096)
        end = question.index(b"\0", 12) + 5
        kind = struct.unpack("!H", question[end - 4 : end - 2])[0]
        with open(sys.argv[1]) as file:
            address = socket.inet_aton(file.read().strip())
        # Only IPv4: asked for anything else, the name exists and has nothing.
        answers = 1 if kind == 1 else 0
        head = question[:2] + struct.pack("!HHHHH", 0x8180, 1, answers, 0, 0)
        answer = struct.pack("!HHHLH", 0xC00C, 1, 1, 1, 4) + address
        listener.sendto(head + question[12:end] + answer * answers, who)


main()
