"""A line between two network namespaces: rate, delay, queue and random loss.

usage: link.py BITS_PER_SECOND DELAY_MS LOSS_PERCENT QUEUE_MS

Two TUN devices, `near` and `far`, whose packets are carried from one to the other. The test moves each
device into a namespace; the descriptors stay here. The same in both directions; loss only towards `near`.
"""
import collections, fcntl, os, random, select, struct, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def main():
    rate, delay, loss, room = (float(word) for word in sys.argv[1:5])
    delay, loss, room = delay / 1000, loss / 100, room / 1000
    chance = random.Random(7)
    near, far = tun("near"), tun("far")
    print("ready", flush=True)
    ends = {near: (far, 0.0), far: (near, loss)}
    free = {near: 0.0, far: 0.0}
    due = {near: collections.deque(), far: collections.deque()}
    clock = time.monotonic
    while True:
        now = clock()
        first = min((queue[0][0] for queue in due.values() if queue), default=None)
        wait = 0.5 if first is None else max(0.0, first - now)
        for fd in select.select([near, far], [], [], wait)[0]:
            to, lost = ends[fd]
            for _ in range(64):
                try:
                    packet = os.read(fd, 65536)
                except BlockingIOError:
                    break
                except OSError:
                    return
                now = clock()
                begins = max(now, free[fd])
                if begins - now > room or (lost and chance.random() < lost):
                    continue
                free[fd] = begins + len(packet) * 8 / rate
                due[fd].append((free[fd] + delay, packet))
        now = clock()
        for fd, queue in due.items():
            to = ends[fd][0]
            while queue and queue[0][0] <= now:
                try:
                    os.write(to, queue.popleft()[1])
                except OSError:
                    pass


main()
